// Two harmless faults of JPEG files, mended in memory before decoding: a missing end marker and stray bytes between the
// segments of the header. The decoder can then be strict about all the rest. Pure.

const startOfScan = 0xda
const endOfImage = Buffer.from([0xff, 0xd9])

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
