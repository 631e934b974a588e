// A PNG writer of our own for tests: pixels go in as numbers, so that a decoder's output can be compared with what was
// written and not with another decoder. No filtering; any colour type, 1–16 bits, Adam7 if wanted.
import { crc32, deflateSync } from 'node:zlib'

export type PngColour = 'grey' | 'rgb' | 'palette' | 'grey-alpha' | 'rgba'
const colourTypes: Record<PngColour, [type: number, channels: number]> = {
  grey: [0, 1],
  rgb: [2, 3],
  palette: [3, 1],
  'grey-alpha': [4, 2],
  rgba: [6, 4],
}

export interface PngOptions {
  width: number
  height: number
  colour: PngColour
  bits?: 1 | 2 | 4 | 8 | 16
  /** RGB triples. */
  palette?: number[]
  interlaced?: boolean
}

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(data.length, 0)
  body.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  return chunk
}

/** [x start, y start, x step, y step] of the seven passes. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const

function packRow(samples: number[], bits: number): number[] {
  if (bits === 16) return [0, ...samples.flatMap((sample) => [sample >> 8, sample & 255])]
  if (bits === 8) return [0, ...samples]
  const row = new Array<number>(Math.ceil((samples.length * bits) / 8)).fill(0)
  for (const [i, sample] of samples.entries()) {
    const at = Math.floor((i * bits) / 8)
    row[at] = (row[at] ?? 0) | (sample << (8 - bits - ((i * bits) % 8)))
  }
  return [0, ...row]
}

/** @param sample value of channel `c` at `x`, `y`, in 0…2^bits − 1 */
export function writePng(options: PngOptions, sample: (x: number, y: number, c: number) => number): Buffer {
  const { width, height, colour, bits = 8, palette, interlaced = false } = options
  const [type, channels] = colourTypes[colour]
  const passes = interlaced ? adam7 : ([[0, 0, 1, 1]] as const)
  const rows: number[] = []
  for (const [x0, y0, dx, dy] of passes) {
    if (x0 >= width) continue
    for (let y = y0; y < height; y += dy) {
      const samples: number[] = []
      for (let x = x0; x < width; x += dx) for (let c = 0; c < channels; c++) samples.push(sample(x, y, c))
      for (const byte of packRow(samples, bits)) rows.push(byte)
    }
  }
  return assemblePng(width, height, bits, type, deflateSync(Uint8Array.from(rows)), palette, interlaced)
}

export function assemblePng(
  width: number,
  height: number,
  bits: number,
  type: number,
  compressed: Uint8Array,
  palette?: number[],
  interlaced = false,
): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([bits, type, 0, 0, interlaced ? 1 : 0], 8)
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    ...(palette === undefined ? [] : [pngChunk('PLTE', Uint8Array.from(palette))]),
    pngChunk('IDAT', compressed),
    pngChunk('IEND', new Uint8Array()),
  ])
}

/** The chunks of a PNG: type and body. */
export function splitPng(png: Buffer): [string, Buffer][] {
  const chunks: [string, Buffer][] = []
  for (let at = 8; at < png.length;) {
    const end = at + 8 + png.readUInt32BE(at)
    chunks.push([png.toString('latin1', at + 4, at + 8), png.subarray(at + 8, end)])
    at = end + 4
  }
  return chunks
}

/** A PNG of these chunks, each with its right checksum. */
export function joinPng(chunks: readonly (readonly [string, Uint8Array])[]): Buffer {
  const parts = chunks.map(([type, body]) => pngChunk(type, body))
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts])
}
