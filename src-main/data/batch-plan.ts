// Which images a batch holds, in which order, and how each is augmented: a function of the seed and the batch's number
// alone. So a position in training is one number, and resuming is exact. Pure; reads nothing.
import { GyreError } from '#shared/contract/errors'
import type { Augmentation } from './augment'
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

export interface PlannedBatch {
  /** Positions in the pack. */
  indices: Int32Array
  /** One for each image. */
  changes: Augmentation[]
}

/** The plan of batch number `batch`, from 0. */
export type BatchPlan = (batch: number) => PlannedBatch

/**
 * @param trainIndices positions in the pack to draw from
 * @throws GyreError `invalid-input` when there is none
 */
export function createBatchPlan(
  trainIndices: Int32Array,
  imageSize: number,
  options: BatchOptions,
): BatchPlan {
  const { batchSize, sampling, seed, flip, randomCrop } = options
  const count = trainIndices.length
  if (count === 0) {
    throw new GyreError(
      'invalid-input',
      'There are no images to train on.',
      'Choose a dataset with more images.',
    )
  }
  const reach = randomCrop ? Math.floor(imageSize / 8) : 0
  let order: { epoch: number; positions: Int32Array } | null = null

  const orderOf = (epoch: number): Int32Array => {
    if (order?.epoch !== epoch)
      order = { epoch, positions: shuffled(count, randomAt(seed, 'shuffle', epoch)) }
    return order.positions
  }

  return (batch) => {
    const random = randomAt(seed, 'batch', batch)
    const first = batch * batchSize
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
    return { indices, changes }
  }
}
