// What is known of JPEG files beside the decoder. Two harmless faults are mended in memory before decoding: a missing end
// marker and stray bytes between the segments of the header; the decoder can then be strict about all the rest. And how far
// one may be scaled down while it is decoded, and what tells then that its end is missing. Pure.
import type { Transform } from '#shared/contract/common'

const startOfScan = 0xda
const endOfImage = Buffer.from([0xff, 0xd9])
const zeros = Buffer.alloc(32)

/** Markers that stand alone, without a length behind them. */
function standsAlone(marker: number): boolean {
  return marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)
}

/** [from, to] of the header's segments up to the first scan's data, or null when they do not make sense. */
function headerSegments(data: Buffer): [number, number][] | null {
  const segments: [number, number][] = []
  let at = 0
  for (;;) {
    // A marker is 0xff, any number of times, and a byte that is neither 0 nor 0xff.
    let marker = data.indexOf(0xff, at)
    while (marker >= 0 && (data[marker + 1] === 0xff || data[marker + 1] === 0)) {
      marker = data.indexOf(0xff, marker + 1)
    }
    const kind = data[marker + 1]
    if (marker < 0 || kind === undefined) return null
    if (standsAlone(kind)) {
      at = marker + 2
    } else {
      if (marker + 4 > data.length) return null
      at = marker + 2 + data.readUInt16BE(marker + 2)
      if (at > data.length) return null
    }
    segments.push([marker, at])
    if (kind === startOfScan) return segments
  }
}

/**
 * The same JPEG with its end marker and without bytes that belong to no segment. A file without faults comes back as
 * it is; one that can't be understood too, for the decoder to refuse.
 */
export function mendJpeg(data: Buffer): Buffer {
  const segments = headerSegments(data)
  if (segments === null) return data
  const end = data.subarray(-2).equals(endOfImage) ? [] : [endOfImage]
  const bytesInSegments = segments.reduce((sum, [from, to]) => sum + to - from, 0)
  const headerBytes = segments.at(-1)?.[1] ?? 0
  if (end.length === 0 && bytesInSegments === headerBytes) return data
  const header = segments.map(([from, to]) => data.subarray(from, to))
  return Buffer.concat([...header, data.subarray(headerBytes), ...end])
}

/** So much of a file's end is looked at; more than the last rows of any image that is read. */
const tailBytes = 256 * 1024

/**
 * Whether the end of a JPEG looks like image data up to its end marker: no other marker is in it but restarts, and no
 * stretch of zeros. Cut-off and overwritten files do not pass; single wrong bits do.
 */
export function hasSoundEnd(data: Buffer): boolean {
  if (!data.subarray(-2).equals(endOfImage)) return false
  const tail = data.subarray(-tailBytes, -2)
  if (tail.includes(zeros)) return false
  const scan = tail.lastIndexOf(Buffer.from([0xff, startOfScan]))
  const from = scan < 0 ? 0 : scan + 2 + tail.readUInt16BE(Math.min(scan + 2, tail.length - 2))
  for (let at = tail.indexOf(0xff, from); at >= 0; at = tail.indexOf(0xff, at + 1)) {
    const next = tail[at + 1] ?? 0
    if (next !== 0 && (next < 0xd0 || next > 0xd7)) return false
  }
  return true
}

/**
 * By how much a JPEG of this size is scaled down while it is decoded: 8, 4, 2 or 1. To no less than twice the size that is
 * wanted, so that the better filter does the rest, and only to whole pixels, so that the last one holds nothing but the
 * last of the file. Very long images are cut first and not scaled at all.
 */
export function scaleOf(width: number, height: number, { imageSize, resize }: Transform): 1 | 2 | 4 | 8 {
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)]
  if (longer > 16 * shorter) return 1
  const side = resize === 'pad' ? longer : shorter
  const fits = (scale: number): boolean =>
    side >= 2 * scale * imageSize && width % scale === 0 && height % scale === 0
  return ([8, 4, 2] as const).find(fits) ?? 1
}

/** In which corner the last pixel of a file lies once the image is upright, by its EXIF orientation. */
export function isLastCorner(orientation: number): { right: boolean; bottom: boolean } {
  return { right: [1, 4, 5, 8].includes(orientation), bottom: [1, 2, 5, 6].includes(orientation) }
}

/**
 * Whether the last pixel may be what decoders put in place of missing data: the middle grey, moved a little by a colour
 * profile. Real pixels look like that, too; such an image is decoded whole, to be sure.
 */
export function looksMissing(pixel: Uint8Array): boolean {
  const [lowest, highest] = [Math.min(...pixel), Math.max(...pixel)]
  return lowest >= 96 && highest <= 160 && highest - lowest <= 4
}
