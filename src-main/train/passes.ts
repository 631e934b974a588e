// Goes through images batch by batch without training: yields to the event loop between batches, can be cancelled,
// and holds the tensors of one batch at a time.
import { setImmediate } from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import type { PackReader } from '#main/data/pack-reader'
import { scaledPixels } from '#main/data/scale'
import { imageTensor } from './tensors'

export interface PassOptions {
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/** Images at a time, so that a forward pass needs about the memory of a training step on 32 small images. */
export function passBatch(imageSize: number): number {
  return Math.max(1, Math.min(64, Math.floor(131_072 / imageSize ** 2)))
}

/**
 * Calls `visit` with each batch of the images at `indices`, in order. `x` [N, S, S, C] is disposed afterwards, and so
 * is everything else that `visit` makes. Throws the signal's reason when cancelled.
 */
export async function forEachBatch(
  pack: PackReader,
  indices: Int32Array,
  visit: (x: tf.Tensor4D, indices: Int32Array) => void,
  { onProgress, signal }: PassOptions = {},
): Promise<void> {
  const { imageSize, channels } = pack.info
  const batch = passBatch(imageSize)
  for (let start = 0; start < indices.length; start += batch) {
    signal?.throwIfAborted()
    const part = indices.subarray(start, start + batch)
    const pixels = new Uint8Array(part.length * imageSize * imageSize * channels)
    await pack.readAsync(part, pixels)
    tf.tidy(() => visit(imageTensor(scaledPixels(pixels), imageSize, channels), part))
    onProgress?.(start + part.length, indices.length)
    await setImmediate()
  }
}
