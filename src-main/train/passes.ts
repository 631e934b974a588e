// Goes through images batch by batch without training: yields to the event loop between batches, can be cancelled,
// and holds the tensors of one batch at a time.
import { setImmediate } from 'node:timers/promises'
import type { PackReader } from '#main/data/pack-reader'
import { scaledPixels } from '#main/data/scale'
import type { Computation, Forward, Numbers } from './forward'

export interface PassOptions {
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/** Images at a time, so that a forward pass needs about the memory of a training step on 32 small images. */
export function passBatch(imageSize: number): number {
  return Math.max(1, Math.min(64, Math.floor(131_072 / imageSize ** 2)))
}

/**
 * Runs `computation` on each batch of the images at `indices`, in order, and calls `visit` with its results, for
 * which it waits. Throws the signal's reason when cancelled.
 */
export async function forEachBatch<Name extends string>(
  { forward, pack, indices }: { forward: Forward; pack: PackReader; indices: Int32Array },
  computation: Computation<Name>,
  visit: (results: Numbers<Name>, indices: Int32Array) => unknown,
  { onProgress, signal }: PassOptions = {},
): Promise<void> {
  const { imageSize, channels } = pack.info
  const batch = passBatch(imageSize)
  for (let start = 0; start < indices.length; start += batch) {
    signal?.throwIfAborted()
    const part = indices.subarray(start, start + batch)
    const pixels = new Uint8Array(part.length * imageSize * imageSize * channels)
    await pack.readAsync(part, pixels)
    await visit(await forward.run(computation, scaledPixels(pixels)), part)
    onProgress?.(start + part.length, indices.length)
    await setImmediate()
  }
}
