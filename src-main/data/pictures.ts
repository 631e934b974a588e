// Pictures of source images for the window, as PNG: thumbnails, what the model would see, and the patch behind a token.
import { GyreError } from '#shared/contract/errors'
import type { Transform } from '#shared/contract/common'
import { encodePng, readImage, toThumbnail } from './decode'
import { readSourceFile } from './source-file'
import { Unusable } from './unusable'

export interface PatchOptions {
  /** Absolute path of the source image. */
  path: string
  transform: Transform
  /** Position of the token, from 0. */
  row: number
  column: number
  /** Rows and columns of the token grid. */
  tokens: readonly [number, number]
  /** Tokens of surroundings on each side. */
  margin: number
}

/** Shorter side of a patch in pixels, at least: small patches are enlarged by whole numbers. */
const patchPixels = 96

async function readable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    const code = error.reason === 'unreadable' ? 'not-found' : 'unreadable'
    throw new GyreError(code, `${path} can't be shown. ${error.detail}`, undefined, { cause: error })
  }
}

/** Thumbnail of a file: at most `size` pixels on the longer side, never enlarged. */
export async function thumbnail(path: string, size: number): Promise<Uint8Array> {
  return readable(path, async () => {
    const { data, format } = await readSourceFile(path)
    return toThumbnail(data, format, size)
  })
}

async function transformed(path: string, transform: Transform): Promise<Uint8Array> {
  return readable(path, async () => {
    const { data, format } = await readSourceFile(path)
    return (await readImage(data, format, transform)).pixels
  })
}

/** The image as the model would see it. */
export async function preview(path: string, transform: Transform): Promise<Uint8Array> {
  const { imageSize, channelsIn } = transform
  return encodePng(await transformed(path, transform), imageSize, imageSize, channelsIn)
}

/**
 * The pixels behind a token and `margin` tokens around it, the token always in the middle: what lies outside the image
 * is transparent. Enlarged without smoothing.
 */
export async function cropPatch(options: PatchOptions): Promise<Uint8Array> {
  const { path, transform, row, column, tokens, margin } = options
  const [rows, columns] = tokens
  if (row >= rows || column >= columns || row < 0 || column < 0) {
    throw new GyreError(
      'invalid-input',
      `There is no token ${row}, ${column} in a grid of ${rows}×${columns}.`,
    )
  }
  const { imageSize, channelsIn } = transform
  const pixels = await transformed(path, transform)
  const cellHeight = Math.round(imageSize / rows)
  const cellWidth = Math.round(imageSize / columns)
  const height = (2 * margin + 1) * cellHeight
  const width = (2 * margin + 1) * cellWidth
  const scale = Math.max(1, Math.ceil(patchPixels / Math.min(height, width)))
  const top = (row - margin) * cellHeight
  const left = (column - margin) * cellWidth
  const patch = new Uint8Array(height * scale * width * scale * 4) // [height·scale, width·scale, RGBA]
  let at = 0
  for (let y = 0; y < height * scale; y++) {
    const fromY = top + Math.floor(y / scale)
    for (let x = 0; x < width * scale; x++, at += 4) {
      const fromX = left + Math.floor(x / scale)
      if (fromY < 0 || fromX < 0 || fromY >= imageSize || fromX >= imageSize) continue
      const from = (fromY * imageSize + fromX) * channelsIn
      for (let c = 0; c < 3; c++) patch[at + c] = pixels[from + (channelsIn === 1 ? 0 : c)] ?? 0
      patch[at + 3] = 255
    }
  }
  return encodePng(patch, width * scale, height * scale, 4)
}
