// Bytes of an image file to pixels: the only module that decodes. It takes what `sniff` let through, never a path,
// so that nothing but the six formats below can reach the decoder.
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp'
import { GyreError } from '#shared/contract/errors'
import type { Transform } from '#shared/contract/common'
import { mendJpeg } from './jpeg'
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

const takeTurns = createTurns()

/** JPEG is read strictly, because only its warnings tell of missing image data; `mendJpeg` took the harmless away. */
function inputOptions(format: ImageFormat): SharpOptions {
  return {
    failOn: format === 'jpeg' ? 'warning' : 'error',
    limitInputPixels: maxPixels,
    sequentialRead: true,
  }
}

/** The decoder keeps its messages in one buffer for all threads, so that they may be another file's: not shown. */
function unusable(error: unknown): Unusable {
  const words = error instanceof Error ? error.message : ''
  if (words.includes('pixel limit')) {
    return new Unusable('too-large', `It has more than ${maxPixels / 1e6} million pixels.`, { cause: error })
  }
  if (words.includes('channel limit')) {
    return new Unusable('unsupported-format', 'It has too many colour channels.', { cause: error })
  }
  return new Unusable('corrupt', 'The image data is damaged or cut off.', { cause: error })
}

async function decode<T>(data: Buffer, format: ImageFormat, run: (input: Sharp) => Promise<T>): Promise<T> {
  try {
    return await run(sharp(format === 'jpeg' ? mendJpeg(data) : data, inputOptions(format)))
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
    const metadata = await input.metadata()
    const facts = factsOf(metadata, format)
    // Asking for the last pixel decodes all before it, and a large image never lies in memory. A resize would not do: it
    // leaves out the last rows. TIFF is not read in order, so there all is asked for.
    const inOrder = format !== 'tiff' && facts.width * facts.height > 1_000_000
    const { width, height } = metadata
    const sink = inOrder ? input.extract({ left: width - 1, top: height - 1, width: 1, height: 1 }) : input
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
    const opaque = input.autoOrient().flatten({ background: to.background })
    // Grey images become RGB first, so that the background keeps its colour.
    const coloured =
      to.channelsIn === 1 ? opaque.greyscale() : opaque.pipelineColourspace('srgb').toColourspace('srgb')
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
    const inside = { fit: 'inside', withoutEnlargement: true } as const
    const output = input.autoOrient().resize(size, size, inside).toColourspace('srgb')
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
