// Entry of the thread that prepares batches: reads, augments and scales the images of one wish after the other into shared
// memory. Which batches are wanted, and when, is not its business.
import { parentPort, workerData } from 'node:worker_threads'
import { toGyreError } from '#shared/contract/errors'
import { augmentAll } from './augment'
import { createBatchPlan } from './batch-plan'
import type { Answer, BatchWork, Wish } from './batch-protocol'
import { openPixels } from './pack-reader'

const port = parentPort
if (!port) throw new Error('Batches are prepared in a worker thread only.')
const { folder, trainIndices, options, ...shared } = workerData as BatchWork
const { batchSize } = options
const reader = openPixels(folder)
const { imageSize, channels } = reader.info
const size = imageSize * imageSize * channels
const planOf = createBatchPlan(trainIndices, imageSize, options)
const values = new Float32Array(shared.values)
const indices = new Int32Array(shared.indices)
const filled = new Int32Array(shared.filled)
const pixels = new Uint8Array(batchSize * size)

function fill({ number, slot, ticket }: Wish): void {
  const planned = planOf(number)
  reader.read(planned.indices, pixels)
  indices.set(planned.indices, slot * batchSize)
  const place = values.subarray(slot * batchSize * size, (slot + 1) * batchSize * size)
  augmentAll(pixels, place, imageSize, channels, planned.changes)
  Atomics.store(filled, slot, ticket)
}

port.on('message', (wish: Wish) => {
  const answer: Answer = { ticket: wish.ticket }
  try {
    fill(wish)
  } catch (error) {
    answer.error = toGyreError(error).toShape()
  }
  port.postMessage(answer)
})
