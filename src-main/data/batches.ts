// Training batches from a pack, made in the thread that takes them, one ahead (`shared-batches.ts` has them made in another
// one). What a batch holds is its plan's to say; the whole state is the number of the next batch.
import { z } from 'zod'
import { GyreError } from '#shared/contract/errors'
import { augmentAll } from './augment'
import { createBatchPlan, type BatchOptions } from './batch-plan'
import type { PixelReader } from './pack-reader'

export interface Batch {
  /** [N, S, S, C] in [−1, 1], augmented. May be overwritten once the next batch is asked for, or the state restored. */
  values: Float32Array
  /** Positions in the pack. */
  indices: Int32Array
}

const stateSchema = z.object({ batch: z.int().min(0), images: z.int().min(1) })
/** `batch` is the number of the next batch that was not delivered yet; `images` the size of the training split. */
export type BatchState = z.infer<typeof stateSchema>

export interface BatchSource {
  /** The next batch; one call at a time. After a failure the same batch is tried again. */
  next(): Promise<Batch>
  state(): BatchState
  /**
   * Goes to a stored position. With another number of training images the position still holds, but the order
   * is a new one; compare `images` to know.
   * @throws GyreError `corrupt` when it is not a state
   */
  restore(state: unknown): void
  /** Epochs (a fraction) that `step` batches are. */
  epochOf(step: number): number
  readonly stepsPerEpoch: number
  /** Resolves when no read is under way; call before closing the pack. */
  close(): Promise<void>
}

/** @throws GyreError `corrupt` when it is not a state */
function parseBatchState(state: unknown): BatchState {
  const parsed = stateSchema.safeParse(state)
  if (parsed.success) return parsed.data
  throw new GyreError('corrupt', 'The stored position in the training images is damaged.')
}

interface BatchPosition {
  /** The number of the next batch. */
  readonly next: number
  /** Batch `number` is handed out; false where the position was restored meanwhile. */
  deliver(number: number): boolean
  /** The part of a source that follows from its position. */
  source: Pick<BatchSource, 'state' | 'restore' | 'epochOf' | 'stepsPerEpoch'>
}

/** Where a source stands among the batches of `count` images. */
export function batchPosition(batchSize: number, count: number): BatchPosition {
  let batch = 0
  return {
    get next() {
      return batch
    },
    deliver(number) {
      if (batch !== number) return false
      batch = number + 1
      return true
    },
    source: {
      state: () => ({ batch, images: count }),
      restore(state) {
        batch = parseBatchState(state).batch
      },
      epochOf: (step) => (step * batchSize) / count,
      stepsPerEpoch: Math.ceil(count / batchSize),
    },
  }
}

/**
 * Every batch has memory of its own, which is the caller's to keep.
 * @param trainIndices positions in the pack to draw from, at least one
 */
export function createBatchSource(
  reader: PixelReader,
  trainIndices: Int32Array,
  options: BatchOptions,
): BatchSource {
  const { batchSize } = options
  const { imageSize, channels } = reader.info
  const size = imageSize * imageSize * channels
  const planOf = createBatchPlan(trainIndices, imageSize, options)
  const position = batchPosition(batchSize, trainIndices.length)
  let ahead: { batch: number; result: Promise<Batch> } | null = null

  async function load(number: number): Promise<Batch> {
    const { indices, changes } = planOf(number)
    const pixels = new Uint8Array(batchSize * size)
    await reader.readAsync(indices, pixels)
    const values = new Float32Array(batchSize * size)
    augmentAll(pixels, values, imageSize, channels, changes)
    return { values, indices }
  }

  function request(number: number): Promise<Batch> {
    if (ahead?.batch === number) return ahead.result
    const result = load(number)
    // A failure is told by `next`; until then it must not count as unhandled.
    result.catch(() => undefined)
    ahead = { batch: number, result }
    return result
  }

  return {
    async next() {
      const number = position.next
      try {
        const result = await request(number)
        if (position.deliver(number)) void request(position.next)
        return result
      } catch (error) {
        if (ahead?.batch === number) ahead = null
        throw error
      }
    },
    ...position.source,
    async close() {
      await ahead?.result.catch(() => undefined)
    },
  }
}
