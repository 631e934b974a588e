// The structure of a PNG file, read strictly: what is described here is whole and plain, and every decoder makes the same
// of it. Anything unusual is no fault, but is left to the decoder that reads all kinds. Pure.
import { crc32 } from 'node:zlib'

export interface PlainPng {
  width: number
  height: number
  colour: 'grey' | 'rgb' | 'palette' | 'grey-alpha' | 'rgba'
  /** Bits of a channel or of a palette index: 1, 2, 4 or 8. */
  bits: number
  /** RGB triples, and the alpha of the first of them; empty without a palette. */
  palette: Uint8Array
  transparency: Uint8Array
  /** The compressed rows, in parts. */
  parts: Buffer[]
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const none = new Uint8Array()
const colours = new Map<number, { colour: PlainPng['colour']; bits: readonly number[] }>([
  [0, { colour: 'grey', bits: [1, 2, 4, 8] }],
  [2, { colour: 'rgb', bits: [8] }],
  [3, { colour: 'palette', bits: [1, 2, 4, 8] }],
  [4, { colour: 'grey-alpha', bits: [8] }],
  [6, { colour: 'rgba', bits: [8] }],
])
/** Chunks that change no pixel here. Others do (a colour profile, an orientation, an animation), or may. */
const harmless = /^(tIME|pHYs|sRGB|gAMA|cHRM|sBIT|bKGD|tEXt|zTXt|iTXt)$/

function readHeader(data: Buffer, at: number): PlainPng | null {
  const kind = colours.get(data[at + 9] ?? -1)
  const bits = data[at + 8] ?? 0
  const [width, height] = [data.readUInt32BE(at), data.readUInt32BE(at + 4)]
  // Compression, filter method and interlacing: zero is the usual of each.
  const isUsual = data.readUIntBE(at + 10, 3) === 0
  if (!kind?.bits.includes(bits) || !isUsual || width === 0 || height === 0) return null
  return { width, height, colour: kind.colour, bits, palette: none, transparency: none, parts: [] }
}

/** Some tools keep an EXIF block, and so an orientation, in a text. */
function isRawProfile(text: Buffer): boolean {
  return text.toString('latin1', 0, 11) === 'Raw profile'
}

/** Takes in a chunk between header and end; false when the file is not for us. */
function takeChunk(png: PlainPng, type: string, body: Buffer, isAfterData: boolean): boolean {
  if (type === 'IDAT') {
    if (isAfterData || (png.colour === 'palette' && png.palette.length === 0)) return false
    png.parts.push(body)
    return true
  }
  const isHead = png.parts.length === 0
  if (type === 'PLTE') {
    const fits = body.length > 0 && body.length % 3 === 0 && body.length <= 3 << png.bits
    if (!fits || !isHead || png.colour !== 'palette' || png.palette.length > 0) return false
    png.palette = body
    return true
  }
  if (type === 'tRNS') {
    const fits = body.length > 0 && body.length <= png.palette.length / 3
    if (!fits || !isHead || png.transparency.length > 0) return false
    png.transparency = body
    return true
  }
  return harmless.test(type) && !isRawProfile(body)
}

/**
 * Describes a PNG of 8 bits or fewer that is not interlaced, whose chunks are in order, whole by their checksums, and
 * known to be harmless. Null for any other, be it damaged or only unusual.
 */
export function describePlainPng(data: Buffer): PlainPng | null {
  if (!data.subarray(0, 8).equals(signature)) return null
  let png: PlainPng | null = null
  let isAfterData = false
  for (let at = 8; at + 12 <= data.length;) {
    const end = at + 8 + data.readUInt32BE(at)
    if (end + 4 > data.length || crc32(data.subarray(at + 4, end)) !== data.readUInt32BE(end)) return null
    const type = data.toString('latin1', at + 4, at + 8)
    const body = data.subarray(at + 8, end)
    at = end + 4
    if (png === null) {
      if (type !== 'IHDR' || body.length !== 13) return null
      png = readHeader(body, 0)
      if (png === null) return null
    } else if (type === 'IEND') {
      return body.length === 0 && png.parts.length > 0 && at === data.length ? png : null
    } else {
      isAfterData ||= png.parts.length > 0 && type !== 'IDAT'
      if (!takeChunk(png, type, body, isAfterData)) return null
    }
  }
  return null
}
