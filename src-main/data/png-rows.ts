// The rows of a plain PNG: decompressed by Node's zlib, which compares the checksum, and with their filters undone (PNG
// specification, section 9). Pure.
import { inflateSync } from 'node:zlib'
import type { PlainPng } from './png'

/** Bytes of 8 bits each, `channels` a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
export interface Samples {
  bytes: Uint8Array
  channels: 1 | 2 | 3 | 4
  /** Of the first pixel of the first row, and from row to row. */
  offset: number
  stride: number
}

const stored = { grey: 1, palette: 1, 'grey-alpha': 2, rgb: 3, rgba: 4 } as const

/** Left, above or above left: whichever is nearest to left + above − above left. */
function paeth(left: number, above: number, corner: number): number {
  let toLeft = above - corner
  let toAbove = left - corner
  let toCorner = toLeft + toAbove
  // Absolute values without a branch.
  toLeft = (toLeft ^ (toLeft >> 31)) - (toLeft >> 31)
  toAbove = (toAbove ^ (toAbove >> 31)) - (toAbove >> 31)
  toCorner = (toCorner ^ (toCorner >> 31)) - (toCorner >> 31)
  return toLeft <= toAbove && toLeft <= toCorner ? left : toAbove <= toCorner ? above : corner
}

function undoPaeth(raw: Uint8Array, from: number, end: number, above: number, step: number): void {
  let at = from
  let up = above
  for (; at < from + step; at++, up++) raw[at] = (raw[at] ?? 0) + (raw[up] ?? 0)
  for (; at < end; at++, up++)
    raw[at] = (raw[at] ?? 0) + paeth(raw[at - step] ?? 0, raw[up] ?? 0, raw[up - step] ?? 0)
}

/** The same for four bytes a pixel, the usual kind, without reading a byte twice. */
function undoPaeth4(raw: Uint8Array, from: number, end: number, above: number): void {
  let [a0, a1, a2, a3, c0, c1, c2, c3] = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let at = from, up = above; at < end; at += 4, up += 4) {
    const b0 = raw[up] ?? 0
    const b1 = raw[up + 1] ?? 0
    const b2 = raw[up + 2] ?? 0
    const b3 = raw[up + 3] ?? 0
    raw[at] = a0 = ((raw[at] ?? 0) + paeth(a0, b0, c0)) & 255
    raw[at + 1] = a1 = ((raw[at + 1] ?? 0) + paeth(a1, b1, c1)) & 255
    raw[at + 2] = a2 = ((raw[at + 2] ?? 0) + paeth(a2, b2, c2)) & 255
    raw[at + 3] = a3 = ((raw[at + 3] ?? 0) + paeth(a3, b3, c3)) & 255
    c0 = b0
    c1 = b1
    c2 = b2
    c3 = b3
  }
}

/**
 * Undoes the filters in place.
 * @param step bytes from a pixel to the next, at least 1
 * @returns false for a filter that does not exist
 */
function unfilter(raw: Uint8Array, rows: number, rowBytes: number, step: number): boolean {
  for (let row = 0; row < rows; row++) {
    const from = row * (rowBytes + 1) + 1
    const end = from + rowBytes
    const above = from - rowBytes - 1
    // Nothing is above the first row: predicting from zeros is one of the other filters.
    const filter = raw[from - 1] ?? 0
    if (filter > 4) return false
    if (filter === 1 || (filter === 4 && row === 0)) {
      for (let at = from + step; at < end; at++) raw[at] = (raw[at] ?? 0) + (raw[at - step] ?? 0)
    } else if (filter === 2 && row > 0) {
      for (let at = from, up = above; at < end; at++, up++) raw[at] = (raw[at] ?? 0) + (raw[up] ?? 0)
    } else if (filter === 3) {
      for (let at = from, up = above; at < end; at++, up++) {
        const left = at < from + step ? 0 : (raw[at - step] ?? 0)
        raw[at] = (raw[at] ?? 0) + ((left + (row === 0 ? 0 : (raw[up] ?? 0))) >> 1)
      }
    } else if (filter === 4) {
      if (step === 4) undoPaeth4(raw, from, end, above)
      else undoPaeth(raw, from, end, above, step)
    }
  }
  return true
}

/** Indices or grey values of fewer than 8 bits → a byte each. */
function unpack(raw: Uint8Array, { width, height, bits }: PlainPng, rowBytes: number): Uint8Array {
  const out = new Uint8Array(width * height)
  const mask = (1 << bits) - 1
  for (let y = 0, at = 0; y < height; y++) {
    const from = y * (rowBytes + 1) + 1
    for (let x = 0; x < width; x++) {
      const bit = x * bits
      out[at++] = ((raw[from + (bit >> 3)] ?? 0) >> (8 - bits - (bit & 7))) & mask
    }
  }
  return out
}

/** Colours that the palette lacks are black, as other readers have it. */
function lookUp(indices: Uint8Array, { palette, transparency }: PlainPng): Samples {
  const channels = transparency.length > 0 ? 4 : 3
  const bytes = new Uint8Array(indices.length * channels)
  for (let i = 0, at = 0; i < indices.length; i++, at += channels) {
    const index = indices[i] ?? 0
    for (let c = 0; c < 3; c++) bytes[at + c] = palette[index * 3 + c] ?? 0
    if (channels === 4) bytes[at + 3] = transparency[index] ?? 255
  }
  return { bytes, channels, offset: 0, stride: 0 }
}

function inflate(png: PlainPng, bytes: number): Buffer | null {
  const [first] = png.parts
  try {
    const data = png.parts.length === 1 && first ? first : Buffer.concat(png.parts)
    // One byte of room more than there may be: a longer stream fills it, and is noticed.
    const raw = inflateSync(data, { chunkSize: Math.max(64, bytes + 1), maxOutputLength: bytes + 1 })
    return raw.length === bytes ? raw : null
  } catch {
    return null
  }
}

/** The pixels of the file as 8-bit samples; null when its data is not exactly what it should be. */
export function readPlainPng(png: PlainPng): Samples | null {
  const { width, height, colour, bits } = png
  const bitsPerPixel = stored[colour] * bits
  const rowBytes = Math.ceil((width * bitsPerPixel) / 8)
  const raw = inflate(png, height * (rowBytes + 1))
  if (raw === null || !unfilter(raw, height, rowBytes, Math.max(1, bitsPerPixel >> 3))) return null
  if (colour !== 'palette' && bits === 8)
    return { bytes: raw, channels: stored[colour], offset: 1, stride: rowBytes + 1 }
  const values = unpack(raw, png, rowBytes)
  if (colour === 'palette')
    return { ...lookUp(values, png), stride: width * (png.transparency.length > 0 ? 4 : 3) }
  const scale = 255 / ((1 << bits) - 1)
  return { bytes: values.map((value) => value * scale), channels: 1, offset: 0, stride: width }
}
