// The encodings of training batches as a stream of vectors that can be gone through again and again. Those that fit into a
// budget are kept as numbers; the others are encoded anew in every pass. One batch's tensors are alive at a time.
import { setImmediate } from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import type { BatchSource } from '#main/data/batches'
import type { VectorStream, VqModel } from '#main/model/index'
import { imageTensor } from './tensors'

/** A million vectors of 64 numbers. */
const defaultHeldBytes = 256 * 1024 * 1024

export interface EncodingOptions {
  /** How many batches belong to it, from the first one of training. */
  batches: number
  /** For encodings that are kept between passes. */
  heldBytes?: number
  /** Called with the images gone through so far, over all passes. */
  onProgress?: (images: number) => void
  signal?: AbortSignal
}

/** The model must not change while the stream is in use. A pass throws the signal's reason when it is cancelled. */
export function encodingsOf(
  model: VqModel,
  source: BatchSource,
  { batches, heldBytes = defaultHeldBytes, onProgress, signal }: EncodingOptions,
): VectorStream {
  const { batchSize, imageSize, channelsIn } = model.config
  const perBatch = batchSize * model.tokens[0] * model.tokens[1]
  const { images } = source.state()
  const held: Float32Array[] = []
  let bytes = 0
  let done = 0

  /** [n, L]; the caller disposes it. */
  async function encode(batch: number): Promise<tf.Tensor2D> {
    source.restore({ batch, images })
    const { values } = await source.next()
    return tf.tidy(() => model.vectors(imageTensor(values, imageSize, channelsIn)))
  }

  async function part(batch: number): Promise<tf.Tensor2D> {
    const kept = held[batch]
    if (kept) return tf.tensor2d(kept, [perBatch, kept.length / perBatch])
    const vectors = await encode(batch)
    if (held.length === batch && bytes + 4 * vectors.size <= heldBytes) {
      held.push(await vectors.data<'float32'>())
      bytes += 4 * vectors.size
    }
    return vectors
  }

  return {
    count: batches * perBatch,
    each: async (visit) => {
      for (let batch = 0; batch < batches; batch++) {
        signal?.throwIfAborted()
        const vectors = await part(batch)
        try {
          await visit(vectors, batch * perBatch)
        } finally {
          vectors.dispose()
        }
        onProgress?.((done += batchSize))
        await setImmediate()
      }
    },
  }
}
