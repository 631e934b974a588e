// Schemas of the files in a library: dataset.json, run.json, metrics.jsonl, checkpoint state. `docs/format.md`
// explains them. Every reader parses with these; a newer schemaVersion is refused in a sentence.
import { z } from 'zod'
import { configSchema } from '../config/schema'
import { engineWish, identifier, validationMetrics } from './common'

export const schemaVersion = 1

export const skipReasons = [
  'not-an-image',
  'empty',
  'unreadable',
  'corrupt',
  'too-large',
  'unsupported-format',
  'not-a-file',
  'link-loop',
  'changed-while-reading',
] as const

/** A file that was not used, and why. `file` is relative to the source folder. */
export const skippedFile = z.object({
  file: z.string(),
  reason: z.enum(skipReasons),
  detail: z.string(),
})
export type SkippedFile = z.infer<typeof skippedFile>

/** A file that is used, as found by the scan. */
export const datasetItem = z.object({
  file: z.string(),
  sizeBytes: z.number(),
  modifiedMs: z.number(),
  width: z.int(),
  height: z.int(),
  format: z.string(),
  /** Decoder's words, for the report: `srgb`, `cmyk`, `b-w`, `grey16`, … */
  mode: z.string(),
  hasAlpha: z.boolean(),
  /** First folder of `file`, or an empty string. */
  label: z.string(),
})
export type DatasetItem = z.infer<typeof datasetItem>

/** Counts for the report; the lists themselves stay in items.jsonl and skipped.jsonl beside dataset.json. */
export const datasetFile = z.object({
  schemaVersion: z.int(),
  id: identifier,
  name: z.string(),
  createdAt: z.string(),
  /** `folder` is read in place; `copy` was uploaded into the library; `sample` comes with the app. */
  kind: z.enum(['folder', 'copy', 'sample']),
  /** Absolute, or relative to the dataset's folder for `copy`. */
  source: z.string(),
  licence: z.string().optional(),
  /** SHA-256 over file names, sizes and modification times of the used files. */
  fingerprint: z.string(),
  imageCount: z.int(),
  skippedCount: z.int(),
  sizeBytes: z.number(),
  minWidth: z.int(),
  maxWidth: z.int(),
  minHeight: z.int(),
  maxHeight: z.int(),
  formats: z.record(z.string(), z.int()),
  modes: z.record(z.string(), z.int()),
  skipReasons: z.partialRecord(z.enum(skipReasons), z.int()),
  labels: z.record(z.string(), z.int()),
  withAlpha: z.int(),
})
export type DatasetFile = z.infer<typeof datasetFile>

export const runStatuses = [
  'created',
  'preparing',
  'running',
  'paused',
  'stopped',
  'finished',
  'interrupted',
  'failed',
  'diverged',
] as const
export type RunStatus = (typeof runStatuses)[number]

export const engineUsed = z.object({
  id: z.string(),
  name: z.string(),
  version: z.string(),
  device: z.string(),
  /** Why this engine, in a sentence. */
  reason: z.string(),
})
export type EngineUsed = z.infer<typeof engineUsed>

export const runFile = z.object({
  schemaVersion: z.int(),
  id: identifier,
  name: z.string(),
  notes: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
  config: configSchema,
  /** The person's engine choice; `engine` is what ran. */
  engineWish,
  engine: engineUsed.nullable(),
  dataset: z.object({
    id: z.string(),
    name: z.string(),
    fingerprint: z.string(),
    source: z.string(),
    imageCount: z.int(),
  }),
  status: z.enum(runStatuses),
  step: z.int(),
  /** Time spent in training steps and evaluations so far. */
  trainedMs: z.number(),
  parameters: z.int(),
  /** Run and step whose weights it started from (`--from`). */
  startedFrom: z.object({ run: z.string(), step: z.int() }).nullable(),
  last: validationMetrics.extend({ step: z.int() }).nullable(),
  best: validationMetrics.extend({ step: z.int() }).nullable(),
  error: z
    .object({
      code: z.string(),
      message: z.string(),
      hint: z.string().optional(),
      /** Where memory ran out: the batch size that fits. */
      batchSize: z.int().min(1).optional(),
    })
    .nullable(),
})
export type RunFile = z.infer<typeof runFile>

/** Averages over the steps since the previous record; usage and perplexity only when a window is complete. */
export const trainRecord = z.object({
  kind: z.literal('train'),
  step: z.int(),
  epoch: z.number(),
  trainedMs: z.number(),
  loss: z.number(),
  mse: z.number(),
  commitmentLoss: z.number(),
  /** Only with a gradient-trained codebook. */
  codebookLoss: z.number().optional(),
  quantizationError: z.number(),
  learningRate: z.number(),
  gradientNorm: z.number(),
  stepsPerSecond: z.number(),
  imagesPerSecond: z.number(),
  dataWaitFraction: z.number(),
  /** Distinct codes / K over the window that ended at this step. */
  usage: z.number().optional(),
  perplexity: z.number().optional(),
  dead: z.int().optional(),
  /** Codes revived over the same window; only with revival. */
  revived: z.int().optional(),
})

const histogram = z.array(z.int().min(0))

/** What passed the estimator at this one step. Histograms count vectors, by the bins of `src-shared/histogram.ts`. */
export const diagnosticsRecord = z.object({
  kind: z.literal('diagnostics'),
  step: z.int(),
  epoch: z.number(),
  trainedMs: z.number(),
  vectors: z.int(),
  lambda: histogram,
  angle: histogram,
  encoderLength: histogram,
  codeLength: histogram,
  obtuse: z.number().nullable(),
  gradientCosine: z.number().nullable(),
})

export const evaluationRecord = z.object({
  kind: z.literal('evaluation'),
  step: z.int(),
  epoch: z.number(),
  trainedMs: z.number(),
  validation: validationMetrics,
  best: z.boolean(),
})

export const eventRecord = z.object({
  kind: z.literal('event'),
  step: z.int(),
  trainedMs: z.number(),
  event: z.enum([
    'started',
    'paused',
    'resumed',
    'stopped',
    'finished',
    'checkpoint',
    'diverged',
    'failed',
    'recovered',
    /** Steps are not compiled although the engine could: the message says why. */
    'eager',
  ]),
  message: z.string(),
})

export const metricsRecord = z.discriminatedUnion('kind', [
  trainRecord,
  evaluationRecord,
  eventRecord,
  diagnosticsRecord,
])
export type TrainRecord = z.infer<typeof trainRecord>
export type EvaluationRecord = z.infer<typeof evaluationRecord>
export type DiagnosticsRecord = z.infer<typeof diagnosticsRecord>
export type EventRecord = z.infer<typeof eventRecord>
export type MetricsRecord = z.infer<typeof metricsRecord>

/** MANIFEST.json: written last; a checkpoint without a matching manifest does not exist. */
export const manifestFile = z.object({
  schemaVersion: z.int(),
  step: z.int(),
  files: z.record(z.string(), z.object({ sizeBytes: z.int(), sha256: z.string() })),
})
export type ManifestFile = z.infer<typeof manifestFile>
