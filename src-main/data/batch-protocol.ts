// What a thread that prepares batches is given and says. Types only.
import type { ErrorShape } from '#shared/contract/errors'
import type { BatchOptions } from './batch-plan'

/** Its task, for as long as it runs. */
export interface BatchWork {
  /** Of the pack. */
  folder: string
  trainIndices: Int32Array
  options: BatchOptions
  /** float32 [slots, N, S, S, C] */
  values: SharedArrayBuffer
  /** int32 [slots, N], positions in the pack. */
  indices: SharedArrayBuffer
  /** int32 [slots]: the ticket of the wish that a slot was last filled for. */
  filled: SharedArrayBuffer
}

/** Batch `number` is to be put into a slot. Tickets grow, from 1. */
export interface Wish {
  number: number
  slot: number
  ticket: number
}

export interface Answer {
  ticket: number
  /** Why the batch could not be made. */
  error?: ErrorShape
}
