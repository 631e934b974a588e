// The quick PNG decoder must say what the image library says, bit for bit, or leave the file to it.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateSync, inflateSync } from 'node:zlib'
import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { readImage } from '#main/data/decode'
import { quickPng } from '#main/data/quick-png'
import { joinPng, splitPng, writePng, type PngColour } from '../../support/png'
import { emojiFolder } from '../../support/sample'

const base: Transform = { imageSize: 16, resize: 'crop', background: '#ffffff', channelsIn: 3 }
const colours: readonly PngColour[] = ['grey', 'rgb', 'palette', 'grey-alpha', 'rgba']

/** What the library makes of it; null when it refuses. */
async function reference(png: Buffer, to: Transform) {
  const image = await readImage(png, 'png', to).catch(() => null)
  return image && { facts: image.facts, pixels: Buffer.from(image.pixels).toString('hex') }
}

/** What the quick one makes of it; null when it leaves the file alone. */
function quick(png: Buffer, to: Transform) {
  const out = new Uint8Array(to.imageSize ** 2 * to.channelsIn).fill(99)
  const facts = quickPng(png, to, out)
  return facts && { facts, pixels: Buffer.from(out).toString('hex') }
}

/** A small generator (xorshift32) of whole numbers below `n`. */
function numbers(seed: number): (n: number) => number {
  let x = seed | 1
  return (n) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return Math.floor(((x >>> 0) / 2 ** 32) * n)
  }
}

interface Made {
  png: Buffer
  to: Transform
}

const transformArbitrary = fc.record({
  resize: fc.constantFrom('crop', 'pad', 'stretch'),
  background: fc.constantFrom('#ffffff', '#000000', '#12ab9f'),
  channelsIn: fc.constantFrom(1, 3),
})

/** Any colour type, bits, palette and transparency; a shape that mostly needs no scaling. */
const madeArbitrary: fc.Arbitrary<Made> = fc
  .record({
    seed: fc.nat(),
    colour: fc.constantFrom(...colours),
    bits: fc.constantFrom(1, 2, 4, 8, 16),
    imageSize: fc.constantFrom(8, 12, 16, 28),
    longer: fc.integer({ min: -7, max: 20 }),
    isTall: fc.boolean(),
    interlaced: fc.boolean(),
    hasTransparency: fc.boolean(),
    transform: transformArbitrary,
  })
  .map(({ seed, colour, bits, imageSize, longer, isTall, interlaced, hasTransparency, transform }) => {
    const draw = numbers(seed)
    const narrow = colour === 'grey' || (colour === 'palette' && bits < 16)
    const depth = (narrow || bits === 16) && colour !== 'palette' ? bits : narrow ? bits : 8
    const other = imageSize + (draw(3) === 0 ? 0 : longer)
    const [width, height] = isTall ? [imageSize, other] : [other, imageSize]
    const entries = colour === 'palette' ? 1 + draw(2 ** depth) : 0
    const palette = Array.from({ length: 3 * entries }, () => draw(256))
    const interlace = interlaced && draw(4) === 0
    const options = { width, height, colour, bits: depth, interlaced: interlace } as const
    // Indices beyond the palette are among them.
    const png = writePng({ ...options, ...(entries > 0 && { palette }) }, () => draw(2 ** depth))
    const chunks = splitPng(png)
    if (hasTransparency && entries > 0)
      chunks.splice(2, 0, ['tRNS', Buffer.from(Array.from({ length: 1 + draw(entries) }, () => draw(256)))])
    return { png: joinPng(chunks), to: { ...base, ...transform, imageSize } }
  })

describe('the quick decoder', () => {
  it('gives the pixels and facts of the library, for every kind that it takes', async () => {
    let taken = 0
    await fc.assert(
      fc.asyncProperty(madeArbitrary, async ({ png, to }) => {
        const found = quick(png, to)
        if (found === null) return
        taken += 1
        expect(found).toEqual(await reference(png, to))
      }),
      { numRuns: 400 },
    )
    // A quarter on average, drawn by chance: far enough below that chance alone never fails it.
    expect(taken).toBeGreaterThan(40)
  })

  it('mixes every value and every opacity with the background as the library does', async () => {
    for (const background of ['#ffffff', '#000000', '#7f01fe']) {
      const to = { ...base, imageSize: 256, background }
      const png = writePng({ width: 256, height: 256, colour: 'rgba' }, (x, y, c) =>
        c === 3 ? y : x ^ (c * 85),
      )
      const found = quick(png, to)
      expect(found).not.toBeNull()
      expect(found).toEqual(await reference(png, to))
    }
  })

  it('undoes every filter', async () => {
    for (const channels of [1, 2, 3, 4] as const) {
      const colour = (['grey', 'grey-alpha', 'rgb', 'rgba'] as const)[channels - 1]
      if (colour === undefined) continue
      const draw = numbers(channels)
      const plain = writePng({ width: 16, height: 16, colour }, (x, y) => (x * 9 + y * 5 + draw(40)) & 255)
      const chunks = splitPng(plain)
      const data = chunks.find(([type]) => type === 'IDAT')?.[1] ?? Buffer.alloc(0)
      const rows = inflateSync(data)
      for (const filters of [[0, 1, 2, 3, 4], [4], [3], [2], [1]]) {
        const filtered = deflateSync(withFilters(rows, 16 * channels, channels, filters))
        const png = joinPng(chunks.map(([type, body]) => [type, type === 'IDAT' ? filtered : body] as const))
        expect(quick(png, base)).toEqual(quick(plain, base))
        expect(quick(png, base)).toEqual(await reference(png, base))
      }
    }
  })

  it('takes every kind of file of the sample set', async () => {
    const names = (await readdir(emojiFolder)).filter((_, i) => i % 40 === 0)
    for (const name of names) {
      const png = await readFile(join(emojiFolder, name))
      const to = { ...base, imageSize: 64 }
      const found = quick(png, to)
      expect(found, name).not.toBeNull()
      expect(found).toEqual(await reference(png, to))
    }
  })

  it.each(['gAMA', 'cHRM', 'sRGB', 'sBIT', 'bKGD', 'pHYs', 'tIME', 'tEXt', 'zTXt', 'iTXt'])(
    'reads past %s, whatever it holds and wherever it stands, as the library does',
    async (type) => {
      const bodies = [
        u32(45_455),
        u32(0),
        u32(1, 2, 3, 4, 5, 6, 7, 8),
        Buffer.from([0]),
        Buffer.from('a\0b'),
        junk,
      ]
      for (const colour of colours) {
        const palette = Array.from({ length: 60 }, (_, i) => (i * 53) & 255)
        const png = writePng({ width: 16, height: 16, colour, palette }, (x, y, c) => (x * y + c) % 20)
        const chunks = splitPng(colour === 'palette' ? png : withoutPalette(png))
        const data = chunks.findIndex(([name]) => name === 'IDAT')
        for (const body of bodies)
          for (const at of [1, data, data + 1]) {
            const odd = joinPng([...chunks.slice(0, at), [type, body], ...chunks.slice(at)])
            const found = quick(odd, base)
            if (found !== null) expect(found).toEqual(await reference(odd, base))
          }
      }
      const plain = splitPng(withoutPalette(writePng({ width: 16, height: 16, colour: 'rgb' }, (x) => x)))
      expect(quick(joinPng([...plain.slice(0, 1), [type, junk], ...plain.slice(1)]), base)).not.toBeNull()
    },
  )

  it('leaves alone what is scaled, managed in colour, turned, animated, interlaced or deeper', async () => {
    const plain = writePng({ width: 16, height: 16, colour: 'rgb' }, (x, y, c) => x * 9 + y + c)
    const chunks = splitPng(plain)
    const withChunk = (type: string, body: Uint8Array): Buffer =>
      joinPng([...chunks.slice(0, 1), [type, body], ...chunks.slice(1)])
    const rotated = await sharp(plain).withMetadata({ orientation: 6 }).png().toBuffer()
    const profiled = await sharp(plain).withIccProfile('p3').png().toBuffer()
    const others: [string, Buffer][] = [
      ['a text with an orientation', withChunk('zTXt', Buffer.from('Raw profile type exif\0\0'))],
      ['an animation', withChunk('acTL', u32(1, 0))],
      ['an unknown critical chunk', withChunk('XYZW', junk)],
      ['a rotation', rotated],
      ['a colour profile', profiled],
      ['interlacing', writePng({ width: 16, height: 16, colour: 'rgb', interlaced: true }, (x) => x)],
      ['16 bits', writePng({ width: 16, height: 16, colour: 'rgb', bits: 16 }, (x) => x)],
      ['a byte after the end', Buffer.concat([plain, Buffer.from([0])])],
      ['a wrong checksum', Buffer.from(plain).fill(1, plain.length - 20, plain.length - 19)],
      ['another size', writePng({ width: 20, height: 20, colour: 'rgb' }, (x) => x)],
    ]
    expect(quick(plain, base)).not.toBeNull()
    for (const [what, png] of others) expect(quick(png, base), what).toBeNull()
  })

  it('never takes a file that the library refuses, however it is damaged under right checksums', async () => {
    const draw = numbers(7)
    let accepted = 0
    for (let i = 0; i < 600; i++) {
      const colour = colours[i % colours.length] ?? 'rgb'
      const palette = Array.from({ length: 60 }, () => draw(256))
      const png = writePng({ width: 16, height: 16, colour, ...(colour === 'palette' && { palette }) }, () =>
        draw(20),
      )
      const damaged = joinPng(
        splitPng(png).map(([type, body]) => [type, type === 'IDAT' ? damage(body, draw) : body] as const),
      )
      const found = quick(damaged, base)
      if (found === null) continue
      accepted += 1
      expect(found).toEqual(await reference(damaged, base))
    }
    expect(accepted).toBeGreaterThan(20)
  })
})

const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i)
  return bytes
}
const junk = Buffer.from([7, 0, 255, 3, 9])

const withoutPalette = (png: Buffer): Buffer => joinPng(splitPng(png).filter(([type]) => type !== 'PLTE'))

/** One of the ways in which compressed rows can be wrong, or just unusual. */
function damage(data: Buffer, draw: (n: number) => number): Buffer {
  const copy = Buffer.from(data)
  const flip = (at: number): void => void (copy[at] = (copy[at] ?? 0) ^ (1 << draw(8)))
  const rows = inflateSync(data)
  switch (draw(7)) {
    case 0:
      flip(draw(copy.length))
      return copy
    case 1: // the checksum at the end
      flip(copy.length - 1 - draw(4))
      return copy
    case 2:
      return copy.subarray(0, copy.length - 1 - draw(copy.length - 2))
    case 3:
      return Buffer.concat([copy, junk.subarray(0, 1 + draw(4))])
    case 4:
      return deflateSync(rows.subarray(0, rows.length - 1 - draw(20)))
    case 5:
      return deflateSync(Buffer.concat([rows, Buffer.alloc(1 + draw(20))]))
    default: // filters that exist, and some that do not
      rows[draw(16) * (rows.length / 16)] = draw(6)
      return deflateSync(rows)
  }
}

/** Rows without filters → with the given ones in turn (PNG specification, section 9). */
function withFilters(rows: Buffer, rowBytes: number, step: number, filters: readonly number[]): Buffer {
  const out = Buffer.alloc(rows.length)
  const at = (y: number, i: number): number =>
    y < 0 || i < 0 ? 0 : (rows[y * (rowBytes + 1) + 1 + i] ?? Number.NaN)
  for (let y = 0; y * (rowBytes + 1) < rows.length; y++) {
    const filter = filters[y % filters.length] ?? 0
    out[y * (rowBytes + 1)] = filter
    for (let i = 0; i < rowBytes; i++) {
      const [left, above, corner] = [at(y, i - step), at(y - 1, i), at(y - 1, i - step)]
      const nearest = [left, above, corner].sort(
        (a, b) => Math.abs(left + above - corner - a) - Math.abs(left + above - corner - b),
      )[0]
      const predicted = [0, left, above, Math.floor((left + above) / 2), nearest][filter] ?? 0
      out[y * (rowBytes + 1) + 1 + i] = at(y, i) - predicted
    }
  }
  return out
}
