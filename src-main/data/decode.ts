// Bytes of an image file to pixels: the only module that decodes. It takes what `sniff` let through, never a path,
// so that nothing but the six formats below can reach the decoder.
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp'
import { GyreError } from '#shared/contract/errors'
import type { Transform } from '#shared/contract/common'
import { createTurns, largePixels, maxPixels } from './limits'
import type { ImageFormat } from './sniff'
import { Unusable } from './unusable'

sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Png', 'Jpeg', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map((name) => `VipsForeignLoad${name}Buffer`),
})
// Many images in parallel beat many threads on one; and no source is asked for twice.
sharp.concurrency(1)
sharp.cache(false)

export interface ImageFacts {
  /** As seen, after the orientation in its EXIF data. */
  width: number
  height: number
  format: string
  mode: string
  hasAlpha: boolean
}

type FailOn = 'error' | 'warning'
const takeTurns = createTurns()

/**
 * A file cut off in its last bytes loses its end marker, which the decoder takes for a fatal error. With the marker
 * put back, a JPEG that is whole otherwise decodes without a warning, and one that lacks image data warns.
 */
function withEndMarker(data: Buffer): Buffer {
  return data.readUInt16BE(data.length - 2) === 0xffd9
    ? data
    : Buffer.concat([data, Buffer.from([0xff, 0xd9])])
}

function inputOptions(failOn: FailOn): SharpOptions {
  return { failOn, autoOrient: true, limitInputPixels: maxPixels, sequentialRead: true }
}

function unusable(error: unknown): Unusable {
  const words = (error instanceof Error ? error.message : String(error)).split('\n').at(-1)?.trim() ?? ''
  if (/pixel limit/i.test(words)) {
    return new Unusable('too-large', `It has more than ${maxPixels / 1e6} million pixels.`, { cause: error })
  }
  if (/channel limit/i.test(words)) {
    return new Unusable('unsupported-format', 'It has too many colour channels.', { cause: error })
  }
  return new Unusable('corrupt', `The image data is damaged or cut off (${words}).`, { cause: error })
}

/** Runs a decode. JPEG is read strictly, as only its warnings tell damage; stray bytes between segments are harmless. */
async function decode<T>(data: Buffer, format: ImageFormat, run: (input: Sharp) => Promise<T>): Promise<T> {
  try {
    if (format !== 'jpeg') return await run(sharp(data, inputOptions('error')))
    const whole = withEndMarker(data)
    try {
      return await run(sharp(whole, inputOptions('warning')))
    } catch (error) {
      const strayBytes = error instanceof Error && error.message.includes('extraneous bytes before marker')
      if (!strayBytes) throw error
      return await run(sharp(whole, inputOptions('error')))
    }
  } catch (error) {
    throw error instanceof GyreError ? error : unusable(error)
  }
}

function factsOf(metadata: Metadata, format: ImageFormat): ImageFacts {
  const { width, height } = metadata.autoOrient
  return { width, height, format, mode: metadata.space, hasAlpha: metadata.hasAlpha }
}

/** Large images one at a time. */
function weighed<T>(facts: ImageFacts, task: () => Promise<T>): Promise<T> {
  return facts.width * facts.height > largePixels ? takeTurns(task) : task()
}

/**
 * Decodes every pixel once to know that the file is whole.
 * @throws Unusable `corrupt`, `too-large` or `unsupported-format`
 */
export async function inspectImage(data: Buffer, format: ImageFormat): Promise<ImageFacts> {
  return decode(data, format, async (input) => {
    const facts = factsOf(await input.metadata(), format)
    // Shrinking while decoding reads all rows and keeps few; small images are quicker without.
    const small = facts.width * facts.height <= 1_000_000
    const sink = small ? input : input.resize(16, 16, { fit: 'fill' })
    await weighed(facts, () => sink.raw().toBuffer())
    return facts
  })
}

/** Centre square of a very long image: scaling first would make it millions of pixels long. */
function isVeryLong({ width, height }: ImageFacts): boolean {
  return Math.max(width, height) > 16 * Math.min(width, height)
}

function square(input: Sharp, facts: ImageFacts, to: Transform): Sharp {
  const size = to.imageSize
  if (to.resize === 'stretch') return input.resize(size, size, { fit: 'fill' })
  if (to.resize === 'pad') return input.resize(size, size, { fit: 'contain', background: to.background })
  if (!isVeryLong(facts)) return input.resize(size, size, { fit: 'cover', position: 'centre' })
  const side = Math.min(facts.width, facts.height)
  const left = Math.floor((facts.width - side) / 2)
  const top = Math.floor((facts.height - side) / 2)
  return input.extract({ left, top, width: side, height: side }).resize(size, size, { fit: 'fill' })
}

/**
 * The image as the model sees it: [imageSize, imageSize, channelsIn] bytes. Upright, transparency over the background,
 * sRGB or grey, 8 bits, and not resampled when its size fits already.
 * @throws Unusable when it can't be decoded
 */
export async function toPixels(data: Buffer, format: ImageFormat, to: Transform): Promise<Uint8Array> {
  return decode(data, format, async (input) => {
    const facts = factsOf(await input.metadata(), format)
    const opaque = input.flatten({ background: to.background })
    const coloured = to.channelsIn === 1 ? opaque.greyscale() : opaque.toColourspace('srgb')
    const output = square(coloured, facts, to).raw({ depth: 'uchar' })
    const result = await weighed(facts, () => output.toBuffer({ resolveWithObject: true }))
    if (result.data.length !== to.imageSize * to.imageSize * to.channelsIn) {
      const { width, height, channels } = result.info
      throw new GyreError(
        'internal',
        `Decoding gave ${width}×${height}×${channels} for ${to.imageSize} pixels.`,
      )
    }
    return result.data
  })
}

/** PNG with at most `size` pixels on the longer side; transparency is kept, small images are not enlarged. */
export async function toThumbnail(data: Buffer, format: ImageFormat, size: number): Promise<Uint8Array> {
  return decode(data, format, async (input) => {
    const facts = factsOf(await input.metadata(), format)
    const output = input.resize(size, size, { fit: 'inside', withoutEnlargement: true }).toColourspace('srgb')
    return weighed(facts, () => output.png({ compressionLevel: 3 }).toBuffer())
  })
}

/** PNG of raw pixels [height, width, channels]. */
export async function encodePng(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: 1 | 3 | 4,
): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width, height, channels } })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .png({ compressionLevel: 3 })
    .toBuffer()
}
