// Small plain PNG files, decoded in the calling thread: many times faster than the decoder for everything in `decode`,
// whose cost is a pipeline for each image. Gives its pixels bit for bit, or nothing: whatever needs resampling, colour
// management or a judgement about damage is not for here.
import type { Transform } from '#shared/contract/common'
import type { ImageFacts } from './decode'
import { describePlainPng, type PlainPng } from './png'
import { readPlainPng, type Samples } from './png-rows'

/** Where the image's first column and row lie in the square. */
interface Place {
  left: number
  top: number
}

/** Where the image goes when it fits as it is, cut or padded; null when it must be scaled. */
function placeOf({ width, height }: PlainPng, { imageSize, resize }: Transform): Place | null {
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)]
  if (resize === 'pad' ? longer !== imageSize : shorter !== imageSize) return null
  if (resize === 'stretch' && longer !== imageSize) return null
  // Very long images are cut before anything else by the other decoder.
  if (longer > 16 * shorter) return null
  // As there: of an odd number of columns to cut the larger half is on the left, of one to fill on the right.
  const place = (side: number): number =>
    side > imageSize ? -((side - imageSize + 1) >> 1) : (imageSize - side) >> 1
  return { left: place(width), top: place(height) }
}

function factsOf({ width, height, colour, transparency }: PlainPng): ImageFacts {
  const isGrey = colour === 'grey' || colour === 'grey-alpha'
  const hasAlpha = colour === 'grey-alpha' || colour === 'rgba' || transparency.length > 0
  return { width, height, format: 'png', mode: isGrey ? 'b-w' : 'srgb', hasAlpha }
}

/** ⌊value / 255⌋ for 0 ≤ value ≤ 255², exact. */
const by255 = (value: number): number => (value + 1 + (value >> 8)) >> 8

/** One row of samples → RGB over the background. */
function composeRow(
  bytes: Uint8Array,
  channels: 1 | 2 | 3 | 4,
  from: number,
  out: Uint8Array,
  to: number,
  end: number,
  red: number,
  green: number,
  blue: number,
): void {
  const second = channels < 3 ? 0 : 1
  const third = 2 * second
  if (channels === 1 || channels === 3) {
    for (let i = from, at = to; at < end; i += channels, at += 3) {
      out[at] = bytes[i] ?? 0
      out[at + 1] = bytes[i + second] ?? 0
      out[at + 2] = bytes[i + third] ?? 0
    }
    return
  }
  for (let i = from, at = to; at < end; i += channels, at += 3) {
    const alpha = bytes[i + channels - 1] ?? 0
    if (alpha === 255) {
      out[at] = bytes[i] ?? 0
      out[at + 1] = bytes[i + second] ?? 0
      out[at + 2] = bytes[i + third] ?? 0
    } else if (alpha === 0) {
      out[at] = red
      out[at + 1] = green
      out[at + 2] = blue
    } else {
      const rest = 255 - alpha
      out[at] = by255((bytes[i] ?? 0) * alpha + red * rest)
      out[at + 1] = by255((bytes[i + second] ?? 0) * alpha + green * rest)
      out[at + 2] = by255((bytes[i + third] ?? 0) * alpha + blue * rest)
    }
  }
}

function compose(
  samples: Samples,
  png: PlainPng,
  { left, top }: Place,
  to: Transform,
  out: Uint8Array,
): void {
  const size = to.imageSize
  const colour = Number.parseInt(to.background.slice(1), 16)
  const [red, green, blue] = [colour >> 16, (colour >> 8) & 255, colour & 255]
  const [x0, y0] = [Math.max(0, left), Math.max(0, top)]
  const [x1, y1] = [Math.min(size, left + png.width), Math.min(size, top + png.height)]
  if (x1 - x0 < size || y1 - y0 < size)
    for (let at = 0; at < out.length; at += 3) out.set([red, green, blue], at)
  const { bytes, channels, offset, stride } = samples
  for (let y = y0; y < y1; y++) {
    const from = offset + (y - top) * stride + (x0 - left) * channels
    const at = (y * size + x0) * 3
    composeRow(bytes, channels, from, out, at, at + (x1 - x0) * 3, red, green, blue)
  }
}

/** An opaque grey image for a model that takes one channel: its bytes as they are. */
function cut({ bytes, offset, stride }: Samples, { left, top }: Place, size: number, out: Uint8Array): void {
  for (let y = 0; y < size; y++) {
    const from = offset + (y - top) * stride - left
    out.set(bytes.subarray(from, from + size), y * size)
  }
}

/**
 * Writes the pixels that `readImage` gives to `out` [imageSize, imageSize, channelsIn] and returns what it tells; null
 * when that one has to read the file.
 */
export function quickPng(data: Buffer, to: Transform, out: Uint8Array): ImageFacts | null {
  const png = describePlainPng(data)
  const place = png && placeOf(png, to)
  if (png === null || place === null) return null
  const toGrey = to.channelsIn === 1
  // What is padded in grey has a grey background, which the colour has to be converted for.
  const isPadded = Math.min(png.width, png.height) < to.imageSize
  if (toGrey && (png.colour !== 'grey' || isPadded)) return null
  const samples = readPlainPng(png)
  if (samples === null) return null
  if (toGrey) cut(samples, place, to.imageSize, out)
  else compose(samples, png, place, to, out)
  return factsOf(png)
}
