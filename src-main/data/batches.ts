// Training batches from a pack: which images, in which order, augmented how, is a function of the seed and the
// batch's number. So the whole state is that number, and resuming is exact. Reads one batch ahead.
import { z } from 'zod'
import { GyreError } from '#shared/contract/errors'
import { augment, type Augmentation } from './augment'
import type { PackReader } from './pack-reader'
import { drawInt, randomAt, shuffled } from './random'

export interface BatchOptions {
  batchSize: number
  /** `epoch`: every image once before any repeats (a batch may span two epochs); `replacement`: each drawn anew. */
  sampling: 'epoch' | 'replacement'
  seed: number
  flip: boolean
  /** Shifts by up to an eighth of the size in each direction, edges repeated. */
  randomCrop: boolean
}

export interface Batch {
  /** [N, S, S, C] bytes; the caller's to keep. */
  pixels: Uint8Array
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

/** @param trainIndices positions in the pack to draw from, at least one */
export function createBatchSource(
  reader: PackReader,
  trainIndices: Int32Array,
  options: BatchOptions,
): BatchSource {
  const { batchSize, sampling, seed, flip, randomCrop } = options
  const { imageSize, channels } = reader.info
  const count = trainIndices.length
  if (count === 0) {
    throw new GyreError(
      'invalid-input',
      'There are no images to train on.',
      'Choose a dataset with more images.',
    )
  }
  const size = imageSize * imageSize * channels
  const reach = randomCrop ? Math.floor(imageSize / 8) : 0
  let batch = 0
  let ahead: { batch: number; result: Promise<Batch> } | null = null
  let order: { epoch: number; positions: Int32Array } | null = null

  const orderOf = (epoch: number): Int32Array => {
    if (order?.epoch !== epoch)
      order = { epoch, positions: shuffled(count, randomAt(seed, 'shuffle', epoch)) }
    return order.positions
  }

  async function load(number: number): Promise<Batch> {
    const random = randomAt(seed, 'batch', number)
    const first = number * batchSize
    const indices = Int32Array.from({ length: batchSize }, (_, n) => {
      const draw = first + n
      const position =
        sampling === 'replacement'
          ? drawInt(random, 0, count - 1)
          : (orderOf(Math.floor(draw / count))[draw % count] ?? 0)
      return trainIndices[position] ?? 0
    })
    const changes = Array.from(indices, (): Augmentation => {
      const mirror = flip && drawInt(random, 0, 1) === 1
      const shiftX = reach > 0 ? drawInt(random, -reach, reach) : 0
      const shiftY = reach > 0 ? drawInt(random, -reach, reach) : 0
      return { mirror, shiftX, shiftY }
    })
    const pixels = new Uint8Array(batchSize * size)
    await reader.readAsync(indices, pixels)
    for (const [n, change] of changes.entries()) {
      if (!change.mirror && change.shiftX === 0 && change.shiftY === 0) continue
      const image = pixels.subarray(n * size, (n + 1) * size)
      augment(image.slice(), image, imageSize, channels, change)
    }
    return { pixels, indices }
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
      const number = batch
      try {
        const result = await request(number)
        if (batch === number) {
          batch = number + 1
          void request(batch)
        }
        return result
      } catch (error) {
        if (ahead?.batch === number) ahead = null
        throw error
      }
    },
    state: () => ({ batch, images: count }),
    restore(state) {
      const parsed = stateSchema.safeParse(state)
      if (!parsed.success)
        throw new GyreError('corrupt', 'The stored position in the training images is damaged.')
      batch = parsed.data.batch
    },
    epochOf: (step) => (step * batchSize) / count,
    stepsPerEpoch: Math.ceil(count / batchSize),
    async close() {
      await ahead?.result.catch(() => undefined)
    },
  }
}
