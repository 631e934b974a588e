// Small models of every kind, for what must be the same compiled and eager.
import { configSchema, type ConfigInput, type RunConfig } from '#shared/config/index'

const base: ConfigInput = {
  imageSize: 16,
  batchSize: 4,
  steps: 400,
  seed: 3,
  channels: 8,
  residualBlocks: 1,
  codebookSize: 24,
  codeDim: 4,
  learningRate: 2e-3,
  schedule: 'cosine',
  warmupSteps: 5,
}

const gradientTrained: ConfigInput = { codebookUpdate: 'gradient' }

/** Every estimator, every quantizer, every kind of care, both networks. */
export const compiledCases: Record<string, ConfigInput> = {
  ste: { estimator: 'ste' },
  rotation: { estimator: 'rotation' },
  'rotation, cosine': { estimator: 'rotation', distance: 'cosine' },
  'rotation, gradient-trained codes': { estimator: 'rotation', ...gradientTrained },
  'ste, cosine, gradient-trained codes': { estimator: 'ste', distance: 'cosine', ...gradientTrained },
  rotation_unscaled: { estimator: 'rotation_unscaled' },
  rotation_inverse_error: { estimator: 'rotation_inverse_error' },
  rotation_adaptive: { estimator: 'rotation_adaptive' },
  reflection: { estimator: 'reflection' },
  nsvq: { estimator: 'nsvq', ...gradientTrained },
  diveq: { estimator: 'diveq', ...gradientTrained },
  sf_diveq: { estimator: 'sf_diveq', ...gradientTrained },
  gumbel: { estimator: 'gumbel', ...gradientTrained },
  hessian: { estimator: 'hessian' },
  exact_gradient: { estimator: 'exact_gradient' },
  residual: { estimator: 'rotation', quantizer: 'residual', quantizerDepth: 2 },
  grouped: { estimator: 'rotation', quantizer: 'grouped', quantizerDepth: 2 },
  simvq: { estimator: 'ste', quantizer: 'simvq', ...gradientTrained },
  ibq: { estimator: 'ste', quantizer: 'ibq', ...gradientTrained },
  soft_convex: { estimator: 'ste', quantizer: 'soft_convex', ...gradientTrained, codebookInit: 'data' },
  fsq: { estimator: 'ste', quantizer: 'fsq', fsqLevels: [4, 3], codeDim: 2, codebookSize: 12 },
  lfq: { estimator: 'ste', quantizer: 'lfq', codebookSize: 16 },
  optvq: { estimator: 'ste', quantizer: 'optvq' },
  'revival and k-means': { estimator: 'rotation', deadCodeThreshold: 0.5, codebookInit: 'kmeans' },
  'projection, orthogonality, entropy': {
    ...{ estimator: 'rotation', latentDim: 6, ...gradientTrained },
    ...{ orthogonalWeight: 0.1, entropyWeight: 0.1 },
  },
  'no clipping, no decay': { estimator: 'rotation', gradientClip: 0, optimizer: 'adam' },
  // Enough channels for our own convolutions, at the rate of the presets: at a higher one rounding grows tenfold in a few steps.
  'wide, quick': { estimator: 'rotation', channels: 64, learningRate: 3e-4 },
  'wide, cnn': {
    ...{ estimator: 'rotation', channels: 32, learningRate: 3e-4 },
    ...{ network: 'cnn', channelMultipliers: [1, 2] },
  },
  cnn: { estimator: 'rotation', network: 'cnn', channelMultipliers: [1, 2], attention: [8] },
}

export const compiledConfig = (input: ConfigInput): RunConfig => configSchema.parse({ ...base, ...input })
