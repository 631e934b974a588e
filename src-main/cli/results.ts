// What each command prints with `--json`, as schemas: the documented, stable shape (docs/cli.md).
import { z } from 'zod'
import { stepBench } from '#shared/contract/bench'
import { validationMetrics } from '#shared/contract/common'
import { engineStatus } from '#shared/contract/engines'
import { verification } from '#shared/contract/verify'

/** A run folder's absolute path. */
const run = z.string()

export const trainResult = z.object({
  run,
  step: z.int(),
  /** Id of the engine that ran; null when it ended before one was loaded. */
  engine: z.string().nullable(),
  validation: validationMetrics.nullable(),
})
export type TrainResult = z.infer<typeof trainResult>

export const inspectResult = z.object({
  run,
  checkpoint: z.int(),
  images: z.int(),
  total: z.int(),
  used: z.int(),
  perplexity: z.number(),
  usage: z.number(),
  dead: z.int(),
  /** The training window behind `dead`. */
  deadWindow: z.string(),
  codes: z.array(
    z.object({
      index: z.int(),
      count: z.int(),
      dead: z.boolean(),
      nearest: z.array(z.object({ file: z.string(), row: z.int(), column: z.int(), distance: z.number() })),
    }),
  ),
})
export type InspectResult = z.infer<typeof inspectResult>

export const encodeResult = z.object({
  run,
  checkpoint: z.int(),
  images: z.int(),
  /** Rows and columns of the grid. */
  tokens: z.array(z.int()),
  out: z.string(),
})
export type EncodeResult = z.infer<typeof encodeResult>

export const decodeResult = z.object({ run, checkpoint: z.int(), images: z.int(), out: z.string() })
export type DecodeResult = z.infer<typeof decodeResult>

export const exportResult = z.object({
  run,
  checkpoint: z.int(),
  out: z.string(),
  files: z.array(z.object({ name: z.string(), sizeBytes: z.number() })),
  tensors: z.array(z.object({ name: z.string(), shape: z.array(z.int()) })),
})
export type ExportResult = z.infer<typeof exportResult>

export const engineListResult = z.array(engineStatus)
export const engineTestResult = z.object({
  id: z.string(),
  pass: z.boolean(),
  checks: z.array(z.object({ name: z.string(), error: z.number(), pass: z.boolean() })),
})

/** `engine` is its id. */
export const verifyResult = verification.extend({ engine: z.string() })

/** `engine` is its id. */
export const stepBenchResult = stepBench.extend({ engine: z.string() })
