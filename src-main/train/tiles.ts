// What a code looks like: the whole token grid holds it, the decoder draws it, and the middle of the picture is kept.
// Where there are several codebooks, the others stay out.
// Far from the border, so that what shows is the code and not the edge of the image.
import { setImmediate } from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import { totalCodes } from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import type { VqModel } from '#main/model/index'
import { passBatch } from './passes'
import { pixelBytes } from './tensors'

/** Two tokens wide, but 16 to 32 pixels. */
export function tileSize(imageSize: number, tokens: number): number {
  return Math.min(imageSize, Math.max(16, Math.min(32, 2 * (imageSize / tokens))))
}

/** Grey to RGB, or as it is. */
function rgb(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return pixels
  const out = new Uint8Array(pixels.length * 3)
  for (let i = 0; i < pixels.length; i++) out.fill(pixels[i] ?? 0, 3 * i, 3 * i + 3)
  return out
}

/** RGB tiles of `size`×`size`, one for each index, in order. */
export async function decodeCodes(
  model: VqModel,
  indices: readonly number[],
  signal?: AbortSignal,
): Promise<{ size: number; pixels: Uint8Array }> {
  const { imageSize, channelsIn } = model.config
  const codebookSize = totalCodes(model.config)
  const [rows] = model.tokens
  const wrong = indices.find((code) => code >= codebookSize)
  if (wrong !== undefined)
    throw new GyreError('invalid-input', `There is no code ${wrong}; the codebook has ${codebookSize}.`)
  const size = tileSize(imageSize, rows)
  // Starts where a token starts, so that tiles of all codes show the same part of it.
  const perToken = imageSize / rows
  const start = Math.floor((imageSize - size) / 2 / perToken) * perToken
  const parts: Uint8Array[] = []
  const batch = passBatch(imageSize)
  for (let from = 0; from < indices.length; from += batch) {
    signal?.throwIfAborted()
    const part = indices.slice(from, from + batch)
    const pixels = tf.tidy(() => {
      const images = model.decode(model.alone(part)) // [N, S, S, C]
      const tiles = tf.slice(images, [0, start, start, 0], [part.length, size, size, channelsIn])
      return pixelBytes(tiles.dataSync())
    })
    parts.push(rgb(pixels, channelsIn))
    await setImmediate()
  }
  return { size, pixels: new Uint8Array(Buffer.concat(parts)) }
}
