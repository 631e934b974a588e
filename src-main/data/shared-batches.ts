// Training batches that another thread prepares in shared memory, two ahead: while a step computes, the next images are
// read and augmented. The same batches as `createBatchSource` makes, in the same order.
import { Worker } from 'node:worker_threads'
import { GyreError } from '#shared/contract/errors'
import { createBatchPlan, type BatchOptions } from './batch-plan'
import type { Answer, BatchWork, Wish } from './batch-protocol'
import { batchPosition, type Batch, type BatchSource } from './batches'

/** Batches that are ready or being made. */
const slots = 2
const bytesPerNumber = 4

export interface SharedBatchesOptions {
  /** The built thread, dist/main/batches.js. */
  entry: string | URL
  /** Of the pack. */
  folder: string
  imageSize: number
  channels: number
  /** Positions in the pack to draw from, at least one. */
  trainIndices: Int32Array
  options: BatchOptions
}

interface Waiting {
  ticket: number
  resolve: () => void
  reject: (error: GyreError) => void
}

/** All batches are delivered in the same memory: a batch holds until the next one is asked for. `close` ends the thread. */
export function createSharedBatches({
  entry,
  folder,
  imageSize,
  channels,
  trainIndices,
  options,
}: SharedBatchesOptions): BatchSource {
  // Refuses what has no images here, where it can be told.
  createBatchPlan(trainIndices, imageSize, options)
  const { batchSize } = options
  const length = batchSize * imageSize * imageSize * channels
  const shared = (numbers: number): SharedArrayBuffer =>
    new SharedArrayBuffer(slots * numbers * bytesPerNumber)
  const workerData: BatchWork = {
    ...{ folder, trainIndices, options },
    ...{ values: shared(length), indices: shared(batchSize), filled: shared(1) },
  }
  const values = new Float32Array(workerData.values)
  const indices = new Int32Array(workerData.indices)
  const filled = new Int32Array(workerData.filled)
  // Not the shared memory itself: engines may not take it, and the slot is free for the next batch at once.
  const delivered = new Float32Array(length)
  const wishes: (Wish | null)[] = Array.from({ length: slots }, () => null)
  const position = batchPosition(batchSize, trainIndices.length)
  let tickets = 0
  let waiting: Waiting | null = null
  let ended: GyreError | null = null

  // Workers write through the parent's streams: stdout belongs to the command line's result alone.
  const worker = new Worker(entry, { workerData, stdout: true, execArgv: [], name: 'batches' })
  worker.stdout.on('data', (chunk: Buffer) => process.stderr.write(chunk))
  worker.unref()
  worker.on('message', ({ ticket, error }: Answer) => {
    if (error) {
      const slot = wishes.findIndex((wish) => wish?.ticket === ticket)
      // Made again when it is asked for: only then somebody can be told.
      if (slot >= 0) wishes[slot] = null
    }
    if (waiting?.ticket !== ticket) return
    const { resolve, reject } = waiting
    waiting = null
    if (error) reject(GyreError.fromShape(error))
    else resolve()
  })
  worker.on('error', (error: unknown) => end(error instanceof Error ? error.message : String(error)))
  worker.on('exit', (code) => end(`exit code ${code}`))

  function end(reason: string): void {
    ended ??= new GyreError('internal', `The thread that prepares training images ended: ${reason}`)
    waiting?.reject(ended)
    waiting = null
  }

  /** The wish that a batch is made for; a new one where it is not under way. */
  function wish(number: number): Wish {
    const slot = number % slots
    const known = wishes[slot]
    if (known?.number === number) return known
    const made: Wish = { number, slot, ticket: ++tickets }
    wishes[slot] = made
    worker.postMessage(made)
    return made
  }

  const isFilled = ({ slot, ticket }: Wish): boolean => Atomics.load(filled, slot) === ticket

  async function fulfilled(wanted: Wish): Promise<void> {
    if (isFilled(wanted)) return
    worker.ref()
    try {
      await new Promise<void>((resolve, reject) => (waiting = { ticket: wanted.ticket, resolve, reject }))
    } finally {
      worker.unref()
    }
  }

  return {
    async next(): Promise<Batch> {
      if (ended) throw ended
      const number = position.next
      const wanted = wish(number)
      wish(number + 1)
      await fulfilled(wanted)
      const { slot } = wanted
      delivered.set(values.subarray(slot * length, (slot + 1) * length))
      const result = {
        values: delivered,
        indices: indices.slice(slot * batchSize, (slot + 1) * batchSize),
      }
      if (position.deliver(number)) wish(number + slots)
      return result
    },
    ...position.source,
    async close() {
      ended ??= new GyreError('cancelled', 'The training images are closed.')
      end('')
      await worker.terminate()
    },
  }
}
