// Exports: a checkpoint as files that other tools read.
import { z } from 'zod'
import { bytes, checkpointRef, identifier } from './common'
import { call } from './define'

export const exports_ = {
  /** Writes `model.safetensors` and `config.json` into `folder`, or into the library when none is given. */
  safetensors: call(
    z.object({
      runId: identifier,
      checkpoint: checkpointRef.default('best'),
      folder: z.string().max(4096).optional(),
    }),
    z.object({
      exportId: identifier,
      folder: z.string(),
      step: z.int(),
      files: z.array(z.object({ name: z.string(), sizeBytes: z.number() })),
      tensors: z.array(z.object({ name: z.string(), shape: z.array(z.int()) })),
    }),
  ),
  /** A piece of an exported file, for a browser's download; at most 1 MiB. */
  read: call(z.object({ exportId: identifier, name: z.string().max(200), offset: z.int().min(0) }), bytes),
  /** A finished run's curves as CSV. */
  metricsCsv: call(z.object({ runId: identifier }), z.string()),
} as const
