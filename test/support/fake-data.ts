// Made-up but plausible datasets, runs, records and pictures, for looking at the window and for component tests.
import type {
  DatasetFile,
  DatasetItem,
  DiagnosticsRecord,
  MetricsRecord,
  RunFile,
  SkippedFile,
} from '#shared/contract/files'
import { configSchema, presets, type RunConfig } from '#shared/config/index'
import { angleBins, lengthBins, ratioBins, type Bins } from '#shared/histogram'
import { png } from './small-png'

/** The engine that runs were trained on. */
export const fakeRunEngine = {
  id: 'tensorflow-cpu',
  name: 'TensorFlow CPU',
  version: '2.21.0',
  device: '2 cores',
  reason: 'no NVIDIA driver found',
}

export const fakeDataset = (change: Partial<DatasetFile> = {}): DatasetFile => ({
  schemaVersion: 1,
  id: 'emoji',
  name: 'Emoji',
  createdAt: '2025-11-20T10:00:00.000Z',
  kind: 'sample',
  source: '/opt/gyre/sample',
  licence: 'Noto Emoji by Google, Apache License 2.0',
  fingerprint: 'f00d',
  imageCount: 3786,
  skippedCount: 3,
  sizeBytes: 18_400_000,
  minWidth: 64,
  maxWidth: 64,
  minHeight: 64,
  maxHeight: 72,
  formats: { png: 3786 },
  modes: { srgb: 3700, 'b-w': 86 },
  skipReasons: { corrupt: 1, empty: 1, 'not-an-image': 1 },
  labels: { faces: 1200, animals: 986, food: 1600 },
  withAlpha: 3786,
  ...change,
})

export const fakeConfig = (change: Partial<RunConfig> = {}): RunConfig =>
  configSchema.parse({ ...presets[0]?.config, ...change })

export const fakeRun = (change: Partial<RunFile> = {}): RunFile => ({
  schemaVersion: 1,
  id: 'run-1',
  name: 'emoji · rotation · seed 0',
  notes: '',
  createdAt: '2025-11-23T09:00:00.000Z',
  updatedAt: '2025-11-23T09:04:00.000Z',
  config: fakeConfig(),
  engineWish: 'auto',
  engine: fakeRunEngine,
  dataset: { id: 'emoji', name: 'Emoji', fingerprint: 'f00d', source: '/opt/gyre/sample', imageCount: 3786 },
  status: 'finished',
  step: 1000,
  trainedMs: 240_000,
  parameters: 1_132_000,
  startedFrom: null,
  last: validation(1000, 0.0182),
  best: validation(1000, 0.0172),
  error: null,
  ...change,
})

function validation(step: number, mse: number): NonNullable<RunFile['best']> {
  return {
    step,
    mse,
    psnr: 10 * Math.log10(4 / mse),
    usage: 0.763,
    usagePer256: 0.763,
    perplexity: 402,
    quantizationError: 0.0203,
    commitmentLoss: 0.0006,
    images: 256,
  }
}

/** A soft coloured shape that differs with its number. */
export function picture(seed: number, size: number, blur = 0): Uint8Array {
  const turn = (seed * 2.399) % 6.283
  const shift = (part: number): number => Math.round(128 + 110 * Math.sin(turn + part * 2.1))
  const ink = [shift(0), shift(1), shift(2)] as const
  const radius = 0.25 + 0.2 * Math.abs(Math.sin(seed * 1.7))
  return png(size, size, (x, y) => {
    const dx = (x + 0.5) / size - 0.5
    const dy = (y + 0.5) / size - 0.5
    const r = Math.hypot(dx, dy) * (1 + 0.25 * Math.cos(Math.atan2(dy, dx) * (3 + (seed % 4))))
    const share = Math.min(1, Math.max(0, (radius - r) / (0.02 + blur) + 0.5))
    return [0, 1, 2].map((part) => Math.round(255 + ((ink[part] ?? 0) - 255) * share)) as [
      number,
      number,
      number,
    ]
  })
}

/** What a run writes down at a step. */
export function fakeRecords(run: RunFile, step: number): MetricsRecord[] {
  const decay = Math.exp(-step / 300)
  const noise = Math.sin(step * 12.9898) * 0.5
  const batchesPerEpoch = run.dataset.imageCount / run.config.batchSize
  const common = { step, epoch: step / batchesPerEpoch, trainedMs: step * 240 }
  const mse = 0.016 + 0.3 * decay + 0.002 * noise
  const train: MetricsRecord = {
    kind: 'train',
    ...common,
    loss: mse * 1.04,
    mse,
    commitmentLoss: mse * 0.04,
    quantizationError: 0.02 + 0.1 * decay,
    learningRate: run.config.learningRate,
    gradientNorm: 0.4 + 0.3 * Math.abs(noise),
    stepsPerSecond: 4.1,
    imagesPerSecond: 4.1 * run.config.batchSize,
    dataWaitFraction: 0.004,
    ...(step % 100 === 0
      ? {
          usage: 0.8 * (1 - decay),
          perplexity: 5 + 400 * (1 - decay),
          dead: Math.round(1024 * (0.2 + 0.8 * decay)),
          ...(run.config.deadCodeThreshold > 0 && { revived: Math.round(300 * decay) }),
        }
      : {}),
  }
  const looks = step % 20 === 0 ? [diagnostics(run, common)] : []
  if (step % 100 !== 0 || step === 0) return [train, ...looks]
  return [train, ...looks, { kind: 'evaluation', ...common, validation: validation(step, mse), best: true }]
}

/** Vectors around a value, so many in each bin. */
function bell(bins: Bins, centre: number, width: number): number[] {
  return bins.edges.slice(1).map((edge, bin) => {
    const low = bins.edges[bin] ?? edge
    const away = bins.log ? Math.log2(Math.sqrt(low * edge) / centre) : (low + edge) / 2 - centre
    return Math.round(2000 * Math.exp(-0.5 * (away / width) ** 2))
  })
}

function diagnostics(
  { config }: RunFile,
  common: { step: number; epoch: number; trainedMs: number },
): DiagnosticsRecord {
  const decay = Math.exp(-common.step / 200)
  const angle = bell(angleBins, 12 + 60 * decay, 7 + 10 * decay)
  const total = angle.reduce((a, b) => a + b, 0)
  const obtuse = angle.slice(18).reduce((a, b) => a + b, 0) / total
  return {
    kind: 'diagnostics',
    ...common,
    vectors: total,
    lambda: bell(ratioBins, 1 - 0.9 * decay, 0.3 + decay),
    angle,
    encoderLength: bell(lengthBins, 2 + 2 * decay, 0.8),
    codeLength: bell(lengthBins, 2 - 1.6 * decay, 0.7),
    obtuse,
    gradientCosine: config.estimator === 'ste' ? 1 : 0.96 - 0.7 * decay,
  }
}

export function fakeItems(dataset: DatasetFile, offset: number, limit: number): DatasetItem[] {
  const labels = Object.keys(dataset.labels)
  return Array.from({ length: Math.max(0, Math.min(limit, dataset.imageCount - offset)) }, (_, i) => {
    const index = offset + i
    const label = labels[index % Math.max(1, labels.length)] ?? ''
    return {
      file: `${label ? `${label}/` : ''}image-${String(index).padStart(5, '0')}.png`,
      sizeBytes: 4000 + index,
      modifiedMs: 0,
      width: 64,
      height: 64,
      format: 'png',
      mode: 'srgb',
      hasAlpha: true,
      label,
    }
  })
}

export const fakeSkipped: SkippedFile[] = [
  { file: 'food/broken.png', reason: 'corrupt', detail: 'The file ends too early.' },
  { file: 'food/nothing.jpg', reason: 'empty', detail: 'The file has no bytes.' },
  { file: 'readme.txt', reason: 'not-an-image', detail: 'Its first bytes are of no known image format.' },
]
