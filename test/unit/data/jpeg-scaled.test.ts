// JPEGs that are decoded at a fraction of their size: the pixels and the verdicts of decoding them whole.
import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { readImage } from '#main/data/decode'
import { mendJpeg, scaleOf } from '#main/data/jpeg'
import type { ImageFormat } from '#main/data/sniff'

const base: Transform = { imageSize: 16, resize: 'crop', background: '#ffffff', channelsIn: 3 }

const pixelsOf = async (data: Buffer, format: ImageFormat, to: Transform): Promise<Uint8Array> =>
  (await readImage(data, format, to)).pixels

describe('a JPEG that is scaled down while it is decoded', () => {
  /** Smooth waves, edges and a little grain, as cameras give them. */
  const photograph = (width: number, height: number) => {
    const raw = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
      const edge = (Math.floor(x / 90) + Math.floor(y / 70)) % 2 === 0 ? 25 : -25
      return 128 + 70 * Math.sin(x / 40 + (i % 3)) * Math.cos(y / 30) + edge + (((i * 7919) >> 4) & 7)
    })
    return sharp(raw, { raw: { width, height, channels: 3 } })
  }
  const large = { ...base, imageSize: 32 }
  const resizes = ['crop', 'pad', 'stretch'] as const

  it('goes no further than to twice the size that is wanted', () => {
    const scales = (width: number, height: number) =>
      resizes.map((resize) => scaleOf(width, height, { ...base, imageSize: 64, resize }))
    expect(scales(4000, 3000)).toEqual([8, 8, 8])
    expect(scales(1024, 1016)).toEqual([4, 8, 4])
    expect(scales(4000, 3004)).toEqual([4, 4, 4])
    expect(scales(4000, 3001)).toEqual([1, 1, 1])
    expect(scales(300, 256)).toEqual([2, 2, 2])
    expect(scales(254, 254)).toEqual([1, 1, 1])
    expect(scales(60_000, 3000)).toEqual([1, 1, 1])
  })

  it('looks as if it had been decoded whole and then scaled', async () => {
    for (const [width, height] of [
      [1024, 768],
      [704, 1100],
    ] as const) {
      const jpeg = await photograph(width, height).jpeg({ quality: 95 }).toBuffer()
      const whole = await sharp(jpeg).png().toBuffer()
      for (const resize of resizes)
        for (const channelsIn of [1, 3] as const) {
          const to = { ...base, imageSize: 64, resize, channelsIn }
          const [quickly, slowly] = [await pixelsOf(jpeg, 'jpeg', to), await pixelsOf(whole, 'png', to)]
          const differences = Array.from(quickly, (value, i) => Math.abs(value - (slowly[i] ?? NaN)))
          expect(differences.reduce((sum, value) => sum + value, 0) / differences.length).toBeLessThan(1)
          expect(Math.max(...differences)).toBeLessThan(12)
        }
    }
  })

  it('is upright, in colour and in grey, whatever its orientation', async () => {
    const upright = await pixelsOf(await photograph(640, 480).png().toBuffer(), 'png', large)
    for (let orientation = 1; orientation <= 8; orientation++) {
      const turned = await turnedFor(photograph(640, 480), orientation)
      const jpeg = await turned.withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer()
      const pixels = await pixelsOf(jpeg, 'jpeg', large)
      const differences = Array.from(pixels, (value, i) => Math.abs(value - (upright[i] ?? NaN)))
      expect(
        differences.reduce((sum, value) => sum + value, 0) / differences.length,
        `orientation ${orientation}`,
      ).toBeLessThan(2)
    }
  })

  it('is refused wherever it would be if it were decoded whole, also with an end marker put behind the cut', async () => {
    const end = Buffer.from([0xff, 0xd9])
    const verdict = (reading: Promise<unknown>): Promise<boolean> =>
      reading.then(
        () => true,
        () => false,
      )
    let refused = 0
    for (const [width, height] of [
      [400, 1600],
      [804, 612],
    ] as const)
      for (const [chromaSubsampling, orientation, resize] of [
        ['4:2:0', 1, 'crop'],
        ['4:4:4', 3, 'pad'],
        ['4:2:0', 6, 'stretch'],
        ['4:4:4', 8, 'crop'],
      ] as const) {
        const settings = { quality: 90, chromaSubsampling }
        const jpeg = await photograph(width, height).withMetadata({ orientation }).jpeg(settings).toBuffer()
        for (const share of [0.5, 0.95, 0.97, 0.98, 0.99, 1])
          for (const behind of [Buffer.alloc(0), end]) {
            const cut = Buffer.concat([jpeg.subarray(0, Math.floor(jpeg.length * share)), behind])
            const found = await verdict(readImage(cut, 'jpeg', { ...large, resize }))
            const expected = await verdict(sharp(mendJpeg(cut), { failOn: 'warning' }).raw().toBuffer())
            expect(found).toBe(expected)
            if (!found) refused += 1
          }
      }
    expect(refused).toBeGreaterThan(60)
  })

  it('is used when its last pixels are the grey that stands for missing ones', async () => {
    const jpeg = await sharp({
      create: { width: 600, height: 400, channels: 3, background: { r: 128, g: 128, b: 128 } },
    })
      .jpeg()
      .toBuffer()
    expect(new Set(await pixelsOf(jpeg, 'jpeg', large))).toEqual(new Set([128]))
  })
})

/** What a camera held so stores: the picture that the EXIF orientation turns upright again. */
async function turnedFor(picture: Sharp, orientation: number): Promise<Sharp> {
  const steps: Record<number, (of: Sharp) => Sharp> = {
    2: (of) => of.flop(),
    3: (of) => of.rotate(180),
    4: (of) => of.flip(),
    6: (of) => of.rotate(270),
    8: (of) => of.rotate(90),
  }
  const raw = async (of: Sharp) => {
    const { data, info } = await of.raw().toBuffer({ resolveWithObject: true })
    const { width, height, channels } = info
    return sharp(data, { raw: { width, height, channels } })
  }
  // 5 and 7 are a turn and a mirroring, one after the other.
  if (orientation === 5) return raw((await raw(picture.rotate(90))).flop())
  if (orientation === 7) return raw((await raw(picture.rotate(270))).flop())
  const step = steps[orientation]
  return step ? raw(step(picture)) : picture
}
