// Runs: the list, one run's files, and control of training.
import { z } from 'zod'
import { configSchema } from '../config/schema'
import { bytes, engineWish, identifier } from './common'
import { call, event } from './define'
import { metricsRecord, runFile } from './files'

const byId = z.object({ id: identifier })

export const runs = {
  list: call(z.void(), z.array(runFile)),
  get: call(byId, runFile),
  /** Makes a run and starts it, or queues it behind the one that trains. */
  create: call(
    z.object({
      datasetId: identifier,
      config: configSchema,
      engine: engineWish.default('auto'),
      name: z.string().max(200).optional(),
      /** Start from the best weights of another run. */
      fromRun: identifier.optional(),
    }),
    runFile,
  ),
  update: call(
    z.object({
      id: identifier,
      name: z.string().min(1).max(200).optional(),
      notes: z.string().max(20_000).optional(),
    }),
    runFile,
  ),
  /** Moves the run folder into the library's trash. Refused while it trains. */
  remove: call(byId, z.void()),
  /** All records after `afterStep` (-1 for all), thinned to at most `maxPoints` training records. */
  metrics: call(
    z.object({ id: identifier, afterStep: z.int().min(-1), maxPoints: z.int().min(10).max(20_000) }),
    z.array(metricsRecord),
  ),
  /** Steps at which sample reconstructions were stored, ascending. */
  sampleSteps: call(byId, z.object({ steps: z.array(z.int()), count: z.int() })),
  /** PNGs of the fixed validation images (`step` null) or their reconstructions at a step. */
  samples: call(z.object({ id: identifier, step: z.int().nullable() }), z.array(bytes)),
  checkpoints: call(
    byId,
    z.array(z.object({ step: z.int(), best: z.boolean(), last: z.boolean(), sizeBytes: z.number() })),
  ),
  log: call(byId, z.string()),

  pause: call(byId, z.void()),
  /** Goes on after a pause, a stop, an interruption, or past the end with a larger `steps`. */
  resume: call(z.object({ id: identifier, steps: z.int().min(1).optional() }), z.void()),
  /** Ends training and keeps what was learnt: a checkpoint is written first. */
  stop: call(byId, z.void()),

  onChange: event(z.object({ id: identifier, run: runFile.nullable() })),
  onRecord: event(z.object({ id: identifier, record: metricsRecord })),
} as const

/** What a design would cost, before it is trained. */
export const preflight = z.object({
  parameters: z.int(),
  tokens: z.tuple([z.int(), z.int()]),
  /** Bits of the image over bits of its tokens. */
  compressionRatio: z.number(),
  trainImages: z.int(),
  validationImages: z.int(),
  stepsPerEpoch: z.number(),
  memoryBytes: z.number(),
  /** null until a step of this size was measured on this machine. */
  secondsPerStep: z.number().nullable(),
  layers: z.array(
    z.object({
      part: z.enum(['encoder', 'quantizer', 'decoder']),
      name: z.string(),
      shape: z.array(z.int()),
    }),
  ),
  warnings: z.array(z.object({ field: z.string().nullable(), message: z.string() })),
})

export const design = {
  preflight: call(z.object({ datasetId: identifier, config: configSchema, engine: engineWish }), preflight),
} as const
