// What a checkpoint keeps besides tensors: everything an exact resume needs (state.json).
import { z } from 'zod'
import { validationMetrics } from '#shared/contract/common'

const counts = z.array(z.int().min(0))

/** Sums over the steps since the last training record; they are continued, so a record does not depend on stops. */
export const recordSums = z.object({
  steps: z.int(),
  images: z.int(),
  loss: z.number(),
  mse: z.number(),
  commitmentLoss: z.number(),
  codebookLoss: z.number(),
  quantizationError: z.number(),
  gradientNorm: z.number(),
})
export type RecordSums = z.infer<typeof recordSums>

/**
 * Code counts, and codes revived, over a tumbling window of training steps: steps `from` (excluded) to `to`
 * (included).
 */
export const codeWindow = z.object({
  from: z.int(),
  to: z.int(),
  counts,
  /** Absent in checkpoints of before it was counted. */
  revived: z.int().min(0).default(0),
})
export type CodeWindow = z.infer<typeof codeWindow>

export const checkpointState = z.object({
  schemaVersion: z.int(),
  step: z.int().min(0),
  trainedMs: z.number(),
  engine: z.object({ id: z.string(), version: z.string() }),
  /** Position of the shuffle and of its random numbers, as the batch source keeps it. */
  batches: z.unknown(),
  /** State of the training step's own random numbers. */
  random: z.array(z.int()),
  sums: recordSums,
  /** The window under way, and the last complete one. */
  window: codeWindow,
  lastWindow: codeWindow.nullable(),
  /** The evaluation at this very step, if there was one. */
  evaluation: validationMetrics.nullable(),
  last: validationMetrics.extend({ step: z.int() }).nullable(),
  best: validationMetrics.extend({ step: z.int() }).nullable(),
})
export type CheckpointState = z.infer<typeof checkpointState>
