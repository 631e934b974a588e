// Starting points for a run. Figures of the paper's presets: arXiv 2410.06424, appendix A.4 and its code.
import type { ConfigInput } from './schema'

export interface Preset {
  id: string
  name: string
  /** One sentence: for whom, how long. */
  summary: string
  config: ConfigInput
}

const paper: ConfigInput = {
  imageSize: 256,
  network: 'cnn',
  channels: 128,
  residualBlocks: 2,
  batchSize: 256,
  steps: 50_000,
  learningRate: 5e-5,
  finalLearningRate: 2.5e-5,
  weightDecay: 0,
  warmupSteps: 3000,
  schedule: 'cosine',
  emaDecay: 0.8,
  checkpointEvery: 500,
  evaluateEvery: 500,
}

export const presets: readonly Preset[] = [
  {
    id: 'quick-look',
    name: 'Quick look',
    summary: 'A small network at 64 px: minutes on a laptop, good enough to see the codebook at work.',
    config: {
      imageSize: 64,
      network: 'quick',
      channels: 128,
      residualBlocks: 2,
      codebookSize: 1024,
      codeDim: 32,
      batchSize: 32,
      steps: 1000,
      sampling: 'replacement',
      learningRate: 3e-4,
      weightDecay: 0.01,
      gradientClip: 1,
      emaDecay: 0.8,
    },
  },
  {
    id: 'balanced',
    name: 'Balanced',
    summary: 'The paper’s kind of network, kept small, at 64 px: an evening on a laptop.',
    config: {
      imageSize: 64,
      network: 'cnn',
      channels: 32,
      channelMultipliers: [1, 2, 4],
      residualBlocks: 1,
      codebookSize: 512,
      codeDim: 32,
      batchSize: 16,
      steps: 10_000,
      learningRate: 3e-4,
      finalLearningRate: 3e-5,
      warmupSteps: 200,
      schedule: 'cosine',
      flip: true,
      checkpointEvery: 500,
      evaluateEvery: 250,
    },
  },
  {
    id: 'quality',
    name: 'Quality',
    summary: 'A wider network at 128 px with attention: days on a processor, best with a GPU.',
    config: {
      imageSize: 128,
      network: 'cnn',
      channels: 64,
      channelMultipliers: [1, 2, 2, 4],
      residualBlocks: 2,
      attention: [16],
      codebookSize: 1024,
      codeDim: 32,
      batchSize: 16,
      steps: 50_000,
      learningRate: 2e-4,
      finalLearningRate: 2e-5,
      warmupSteps: 500,
      schedule: 'cosine',
      flip: true,
      checkpointEvery: 500,
      evaluateEvery: 500,
    },
  },
  {
    id: 'paper-f16',
    name: 'Paper, 16× smaller grid',
    summary: 'Row 1 of the paper: 256 px to 16×16 tokens, 1,024 codes of 32 numbers. Needs a large GPU.',
    config: {
      ...paper,
      channelMultipliers: [1, 1, 2, 2, 4],
      attention: [16],
      codebookSize: 1024,
      codeDim: 32,
    },
  },
  {
    id: 'paper-f4',
    name: 'Paper, 4× smaller grid',
    summary: 'Row 3 of the paper: 256 px to 64×64 tokens, 8,192 codes of 3 numbers. Needs a large GPU.',
    config: { ...paper, channelMultipliers: [1, 2, 4], codebookSize: 8192, codeDim: 3 },
  },
]
