import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { blockedLoaders, encodePng, readImage, toThumbnail, type ImageFacts } from '#main/data/decode'
import { mendJpeg } from '#main/data/jpeg'
import { quickPng } from '#main/data/quick-png'
import type { ImageFormat } from '#main/data/sniff'
import { withFolder } from '../../support/folders'
import { writePng, type PngColour } from '../../support/png'

const base: Transform = { imageSize: 16, resize: 'crop', background: '#ffffff', channelsIn: 3 }

/** The pixels, by both decoders: the quick one says the same or leaves the file alone. */
async function toPixels(data: Buffer, format: ImageFormat, to: Transform): Promise<Uint8Array> {
  const { facts, pixels } = await readImage(data, format, to)
  const quick = new Uint8Array(pixels.length)
  const told = quickPng(data, to, quick)
  if (told !== null) expect([told, Buffer.from(quick)]).toEqual([facts, Buffer.from(pixels)])
  return pixels
}

async function inspectImage(data: Buffer, format: ImageFormat): Promise<ImageFacts> {
  return (await readImage(data, format, base)).facts
}

/** Values that differ everywhere, in 0…2^bits − 1. */
const sample =
  (bits: number) =>
  (x: number, y: number, c: number): number =>
    (x * 7919 + y * 104_729 + c * 31 + x * y * 17) % 2 ** bits

/** What `toPixels` must give for an image of `size`, when `value` says the 8-bit value at (x, y, c). */
function expected(
  size: number,
  channels: number,
  value: (x: number, y: number, c: number) => number,
): number[] {
  const pixels: number[] = []
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) for (let c = 0; c < channels; c++) pixels.push(value(x, y, c))
  }
  return pixels
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? NaN))), 0)
}

describe('lossless images whose size fits', () => {
  it('keep every pixel, whatever they hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 8, max: 40 }),
        fc.boolean(),
        fc.nat(),
        async (size, interlaced, seed) => {
          const bytes = expected(size, 3, (x, y, c) => sample(8)(x + seed, y ^ seed, c))
          const at = (x: number, y: number, c: number): number => bytes[(y * size + x) * 3 + c] ?? 0
          const png = writePng({ width: size, height: size, colour: 'rgb', interlaced }, at)
          expect([...(await toPixels(png, 'png', { ...base, imageSize: size }))]).toEqual(bytes)
        },
      ),
      { numRuns: 30 },
    )
  })

  it.each([1, 2, 4, 8] as const)(
    'keep every pixel at %i bits of grey, with one channel and with three',
    async (bits) => {
      const png = writePng({ width: 16, height: 16, colour: 'grey', bits }, sample(bits))
      const grey = (x: number, y: number): number => (sample(bits)(x, y, 0) * 255) / (2 ** bits - 1)
      expect([...(await toPixels(png, 'png', base))]).toEqual(expected(16, 3, grey))
      expect([...(await toPixels(png, 'png', { ...base, channelsIn: 1 }))]).toEqual(expected(16, 1, grey))
    },
  )

  it.each([1, 2, 4, 8] as const)('keep every pixel of a %i-bit palette', async (bits) => {
    const palette = Array.from({ length: 3 * 2 ** bits }, (_, i) => (i * 53 + 11) & 255)
    const png = writePng({ width: 16, height: 16, colour: 'palette', bits, palette }, sample(bits))
    const colour = (x: number, y: number, c: number): number => palette[3 * sample(bits)(x, y, 0) + c] ?? 0
    expect([...(await toPixels(png, 'png', base))]).toEqual(expected(16, 3, colour))
  })

  it.each(['grey', 'rgb'] as const)('keep the upper 8 of 16 bits of %s', async (colour) => {
    const png = writePng({ width: 16, height: 16, colour, bits: 16 }, sample(16))
    const value = (x: number, y: number, c: number) => sample(16)(x, y, colour === 'grey' ? 0 : c) / 257
    expect(largestDifference(await toPixels(png, 'png', base), expected(16, 3, value))).toBeLessThanOrEqual(1)
    if (colour === 'grey') {
      const one = await toPixels(png, 'png', { ...base, channelsIn: 1 })
      expect(largestDifference(one, expected(16, 1, value))).toBeLessThanOrEqual(1)
    }
  })

  it('keep every pixel in WebP, TIFF and GIF', async () => {
    const bytes = Uint8Array.from(expected(16, 3, (x, y, c) => (sample(2)(x, y, c) * 85) & 255))
    const source = () => sharp(bytes, { raw: { width: 16, height: 16, channels: 3 } })
    const webp = await source().webp({ lossless: true }).toBuffer()
    const tiff = await source().tiff({ compression: 'deflate' }).toBuffer()
    const gif = await source().gif({ dither: 0 }).toBuffer()
    expect(await toPixels(webp, 'webp', base)).toEqual(Buffer.from(bytes))
    expect(await toPixels(tiff, 'tiff', base)).toEqual(Buffer.from(bytes))
    expect(await toPixels(gif, 'gif', base)).toEqual(Buffer.from(bytes))
  })
})

describe('transparency', () => {
  it.each(['rgba', 'grey-alpha'] as const)(
    'of %s is laid over the background colour',
    async (colour: PngColour) => {
      const alphaAt = colour === 'rgba' ? 3 : 1
      const png = writePng({ width: 16, height: 16, colour }, (x, y, c) =>
        c === alphaAt ? x * 17 : sample(8)(x, y, c),
      )
      const over = [0x20, 0x80, 0xe0]
      const value = (x: number, y: number, c: number): number => {
        const alpha = (x * 17) / 255
        return sample(8)(x, y, colour === 'rgba' ? c : 0) * alpha + (over[c] ?? 0) * (1 - alpha)
      }
      const pixels = await toPixels(png, 'png', { ...base, background: '#2080e0' })
      expect(largestDifference(pixels, expected(16, 3, value))).toBeLessThanOrEqual(1)
      for (let y = 0; y < 16; y++) expect([...pixels.subarray(y * 48, y * 48 + 3)]).toEqual(over)
    },
  )

  it('never lets the hidden colour of transparent pixels bleed into the visible when scaled', async () => {
    const png = writePng({ width: 64, height: 64, colour: 'rgba' }, (x, _, c) =>
      c === 3 ? (x < 32 ? 255 : 0) : c === 0 ? 255 : 0,
    )
    const red = writePng({ width: 64, height: 64, colour: 'rgb' }, (x, _, c) =>
      c === 0 ? 255 : x < 32 ? 0 : 255,
    )
    expect(await toPixels(png, 'png', base)).toEqual(await toPixels(red, 'png', base))
  })
})

describe('colour', () => {
  it('comes out of CMYK near what went in', async () => {
    const colours = [
      [200, 60, 50],
      [60, 160, 90],
      [70, 90, 170],
      [128, 128, 128],
    ]
    for (const colour of colours) {
      const raw = Uint8Array.from(expected(16, 3, (_x, _y, c) => colour[c] ?? 0))
      const jpeg = await sharp(raw, { raw: { width: 16, height: 16, channels: 3 } })
        .toColourspace('cmyk')
        .jpeg({ quality: 100 })
        .toBuffer()
      expect(await inspectImage(jpeg, 'jpeg')).toMatchObject({ mode: 'cmyk' })
      expect(largestDifference(await toPixels(jpeg, 'jpeg', base), raw)).toBeLessThanOrEqual(24)
    }
  })

  it('becomes grey by luminance, not by a plain mean', async () => {
    const of = async (rgb: number[]) => {
      const png = writePng({ width: 16, height: 16, colour: 'rgb' }, (_x, _y, c) => rgb[c] ?? 0)
      return (await toPixels(png, 'png', { ...base, channelsIn: 1 }))[0] ?? 0
    }
    const [red, green, blue] = [await of([255, 0, 0]), await of([0, 255, 0]), await of([0, 0, 255])]
    expect(green).toBeGreaterThan(red)
    expect(red).toBeGreaterThan(blue)
    expect(await of([90, 90, 90])).toBe(90)
  })

  it('of a JPEG is within 2/255 of what was written at best quality', async () => {
    const raw = Uint8Array.from(expected(32, 3, (x, y, c) => 40 + 4 * x + y + 20 * c))
    const jpeg = await sharp(raw, { raw: { width: 32, height: 32, channels: 3 } })
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .toBuffer()
    const pixels = await toPixels(jpeg, 'jpeg', { ...base, imageSize: 32 })
    expect(largestDifference(pixels, raw)).toBeLessThanOrEqual(2)
  })
})

describe('EXIF orientation', () => {
  const width = 48
  const height = 32
  /** One colour a block of 16×16, no two alike. */
  const stored = (x: number, y: number, c: number): number =>
    30 + 60 * ((x >> 4) + (c === 2 ? y >> 4 : 0)) + 50 * (y >> 4) * (c === 1 ? 1 : 0)
  /** Where the pixel shown at (x, y) is stored (EXIF 2.32, tag 0x0112). */
  const storedAt: Record<number, (x: number, y: number) => [number, number]> = {
    1: (x, y) => [x, y],
    2: (x, y) => [width - 1 - x, y],
    3: (x, y) => [width - 1 - x, height - 1 - y],
    4: (x, y) => [x, height - 1 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [y, height - 1 - x],
    7: (x, y) => [width - 1 - y, height - 1 - x],
    8: (x, y) => [width - 1 - y, x],
  }

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('%i is undone', async (orientation) => {
    const raw = new Uint8Array(width * height * 3)
    for (let i = 0; i < raw.length; i++) {
      raw[i] = stored(Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3)
    }
    const jpeg = await sharp(raw, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .withMetadata({ orientation })
      .toBuffer()
    const shown = orientation < 5 ? { width, height } : { width: height, height: width }
    expect(await inspectImage(jpeg, 'jpeg')).toMatchObject(shown)

    const size = 96
    const pixels = await toPixels(jpeg, 'jpeg', { ...base, imageSize: size, resize: 'stretch' })
    for (let blockY = 0; blockY < shown.height / 16; blockY++) {
      for (let blockX = 0; blockX < shown.width / 16; blockX++) {
        const [x, y] = [blockX * 16 + 8, blockY * 16 + 8]
        const [fromX, fromY] = storedAt[orientation]?.(x, y) ?? [0, 0]
        const at = (Math.floor((y * size) / shown.height) * size + Math.floor((x * size) / shown.width)) * 3
        const colour = [0, 1, 2].map((c) => stored(fromX, fromY, c))
        expect(largestDifference(pixels.subarray(at, at + 3), colour)).toBeLessThanOrEqual(3)
      }
    }
  })
})

describe('fit', () => {
  const value = sample(8)
  const png = (width: number, height: number): Buffer => writePng({ width, height, colour: 'rgb' }, value)

  it('crop keeps the centre of the longer side', async () => {
    expect([...(await toPixels(png(48, 16), 'png', base))]).toEqual(
      expected(16, 3, (x, y, c) => value(x + 16, y, c)),
    )
    expect([...(await toPixels(png(16, 48), 'png', base))]).toEqual(
      expected(16, 3, (x, y, c) => value(x, y + 16, c)),
    )
  })

  it('pad keeps all and fills with the background', async () => {
    const pad: Transform = { ...base, resize: 'pad', background: '#0a141e' }
    const wide = expected(16, 3, (x, y, c) => (y < 4 || y >= 12 ? 10 * (c + 1) : value(x, y - 4, c)))
    expect([...(await toPixels(png(16, 8), 'png', pad))]).toEqual(wide)
    const flat = writePng({ width: 16, height: 8, colour: 'grey' }, () => 90)
    const inColour = expected(16, 3, (_x, y, c) => (y < 4 || y >= 12 ? 10 * (c + 1) : 90))
    expect([...(await toPixels(flat, 'png', pad))]).toEqual(inColour)
    const grey = writePng({ width: 8, height: 16, colour: 'grey' }, value)
    const tall = expected(16, 1, (x, y) => (x < 4 || x >= 12 ? 255 : value(x - 4, y, 0)))
    expect([...(await toPixels(grey, 'png', { ...base, resize: 'pad', channelsIn: 1 }))]).toEqual(tall)
  })

  it('stretch fills the square with everything', async () => {
    const halves = writePng({ width: 64, height: 32, colour: 'grey' }, (x) => (x < 32 ? 0 : 255))
    const pixels = await toPixels(halves, 'png', { ...base, resize: 'stretch', channelsIn: 1 })
    for (let y = 0; y < 16; y++) {
      const row = [0, 5, 10, 15].map((x) => pixels[y * 16 + x] ?? NaN)
      expect(largestDifference(row, [0, 0, 255, 255])).toBeLessThanOrEqual(1)
    }
  })

  it.each(['crop', 'pad', 'stretch'] as const)(
    '%s takes one pixel, a line of 60,000, and a flat colour as it is',
    async (resize) => {
      const one = writePng({ width: 1, height: 1, colour: 'rgb' }, (_x, _y, c) => 50 * (c + 1))
      expect([...(await toPixels(one, 'png', { ...base, resize }))]).toEqual(
        expected(16, 3, (_x, _y, c) => 50 * (c + 1)),
      )
      for (const [width, height] of [
        [1, 60_000],
        [60_000, 1],
      ] as const) {
        const line = writePng({ width, height, colour: 'rgb' }, () => 77)
        const middle = (await toPixels(line, 'png', { ...base, resize })).subarray((7 * 16 + 7) * 3)
        expect([...middle.subarray(0, 3)]).toEqual([77, 77, 77])
      }
    },
  )

  it.each([8, 31, 64, 100, 257])(
    'always gives the size that was asked for, from odd shapes too (%i)',
    async (imageSize) => {
      for (const resize of ['crop', 'pad', 'stretch'] as const) {
        for (const channelsIn of [1, 3] as const) {
          for (const [width, height] of [
            [101, 97],
            [33, 500],
            [imageSize, imageSize + 1],
          ] as const) {
            const pixels = await toPixels(png(width, height), 'png', {
              ...base,
              imageSize,
              resize,
              channelsIn,
            })
            expect(pixels.length).toBe(imageSize * imageSize * channelsIn)
          }
        }
      }
    },
  )
})

describe('what else the image library reads', () => {
  it('is blocked, and what is decoded never is, not even for a moment', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    const others = [svg, Buffer.from('1,2\n3,4\n'), Buffer.from('2 2\n1 2\n3 4\n'), Buffer.from('%PDF-1.4\n')]
    for (const bytes of others)
      await expect(sharp(bytes).metadata()).rejects.toThrow('unsupported image format')
    await withFolder(async (folder) => {
      const path = join(folder, 'a.png')
      await writeFile(path, writePng({ width: 4, height: 4, colour: 'rgb' }, sample(8)))
      await expect(sharp(path).metadata()).rejects.toThrow('unsupported image format')
    })
    // Blocking a class blocks those below it.
    const decoded = [
      '',
      ...['Png', 'Jpeg', 'Webp', 'Nsgif', 'Tiff', 'Heif'].flatMap((name) => [name, `${name}Buffer`]),
    ]
    for (const name of decoded) expect(blockedLoaders).not.toContain(`VipsForeignLoad${name}`)
  })
})

describe('a large image', () => {
  const raw = Uint8Array.from(
    { length: 1200 * 1000 * 3 },
    (_, i) => (i * 7919 + (i >> 5) * 31 + (i >> 13)) & 255,
  )
  const source = () => sharp(raw, { raw: { width: 1200, height: 1000, channels: 3 } })

  it('is found out when its last hundredth is missing', async () => {
    const images = [
      ['jpeg', await source().jpeg().withMetadata({ orientation: 6 }).toBuffer()],
      ['jpeg', await source().jpeg({ progressive: true }).toBuffer()],
      ['png', await source().png({ compressionLevel: 1 }).toBuffer()],
      ['webp', await source().webp({ effort: 0 }).toBuffer()],
      ['tiff', await source().tiff({ compression: 'lzw' }).toBuffer()],
    ] as const
    for (const [format, data] of images) {
      const facts = await inspectImage(data, format)
      expect(facts.width * facts.height).toBe(1_200_000)
      const cut = data.subarray(0, Math.floor(data.length * 0.99))
      await expect(inspectImage(cut, format)).rejects.toMatchObject({ reason: 'corrupt' })
    }
  })
})

describe('mending a JPEG', () => {
  it('leaves a faultless one alone and never invents image data', async () => {
    const raw = Uint8Array.from(expected(64, 3, sample(8)))
    const jpeg = await sharp(raw, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer()
    expect(mendJpeg(jpeg)).toBe(jpeg)
    for (let share = 0.3; share < 0.995; share += 0.02) {
      const cut = jpeg.subarray(0, Math.floor(jpeg.length * share))
      await expect(inspectImage(cut, 'jpeg')).rejects.toMatchObject({ reason: 'corrupt' })
    }
  })

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const data = Buffer.from([0xff, 0xd8, 0xff, ...bytes])
        expect(mendJpeg(data).length).toBeLessThanOrEqual(data.length + 2)
      }),
    )
  })
})

describe('pictures', () => {
  it('thumbnails keep the shape and transparency and are not enlarged', async () => {
    const png = writePng({ width: 40, height: 20, colour: 'rgba' }, (x, _y, c) =>
      c === 3 ? (x < 20 ? 0 : 255) : 9,
    )
    expect(await sharp(await toThumbnail(png, 'png', 20)).metadata()).toMatchObject({
      width: 20,
      height: 10,
      hasAlpha: true,
    })
    expect(await sharp(await toThumbnail(png, 'png', 200)).metadata()).toMatchObject({
      width: 40,
      height: 20,
    })
  })

  it('raw pixels survive the way through PNG', async () => {
    for (const channels of [1, 3, 4] as const) {
      const raw = Uint8Array.from(expected(9, channels, sample(8)))
      const png = Buffer.from(await encodePng(raw, 9, 9, channels))
      const back = await sharp(png).raw().toBuffer({ resolveWithObject: true })
      const first = channels === 1 ? back.data.filter((_, i) => i % back.info.channels === 0) : back.data
      expect([...first]).toEqual([...raw])
    }
  })
})
