// Bytes of an image file to pixels: the only module that decodes. It takes what `sniff` let through, never a path,
// so that nothing but the six formats below can reach the decoder.
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp'
import { GyreError } from '#shared/contract/errors'
import type { Transform } from '#shared/contract/common'
import { hasSoundEnd, isLastCorner, looksMissing, mendJpeg, scaleOf } from './jpeg'
import { createTurns, largePixels, maxPixels, type Turns } from './limits'
import type { ImageFormat } from './sniff'
import { Unusable } from './unusable'

const formats = ['Png', 'Jpeg', 'Webp', 'Nsgif', 'Tiff', 'Heif']

/**
 * Every loader but those of the six formats from memory. Not all, to allow six again: it holds for the whole process, and while one
 * thread starts, another may be decoding.
 */
export const blockedLoaders: readonly string[] = [
  ...['Csv', 'Matrix', 'Raw', 'Vips', 'Svg', 'Pdf', 'Jp2k', 'Jxl', 'Uhdr', 'Openslide', 'Magick', 'Magick7'],
  ...['Ppm', 'Rad', 'Analyze', 'Fits', 'Openexr', 'Mat', 'Nifti', 'Dcraw'],
  ...formats.flatMap((name) => [`${name}File`, `${name}Source`]),
].map((name) => `VipsForeignLoad${name}`)

sharp.block({ operation: [...blockedLoaders] })
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

function isLarge({ width, height }: ImageFacts): boolean {
  return width * height > largePixels
}

/** Centre square of a very long image: scaling first would make it millions of pixels long. */
function isVeryLong({ width, height }: ImageFacts): boolean {
  return Math.max(width, height) > 16 * Math.min(width, height)
}

/** Asks for the last pixel, so that all before it are decoded and a large image never lies in memory. */
async function readToTheEnd(input: Sharp, { width, height }: Metadata, format: ImageFormat): Promise<void> {
  // TIFF is not read in order, so there all is asked for.
  const inOrder = format !== 'tiff' && width * height > 1_000_000
  const last = { left: width - 1, top: height - 1, width: 1, height: 1 }
  await (inOrder ? input.extract(last) : input).raw().toBuffer()
}

/** The centre of rows that are longer or more than `size`: what the decoder's own cut would leave. */
function centre(data: Uint8Array, width: number, height: number, channels: number, size: number): Uint8Array {
  if (width === size && height === size) return data
  const [left, top] = [(width - size + 1) >> 1, (height - size + 1) >> 1]
  const out = new Uint8Array(size * size * channels)
  for (let y = 0; y < size; y++) {
    const from = ((top + y) * width + left) * channels
    out.set(data.subarray(from, from + size * channels), y * size * channels)
  }
  return out
}

/** Scaled to what becomes the square; of `crop`, with the parts that are still to be cut away. */
function scaled(input: Sharp, facts: ImageFacts, to: Transform): Sharp {
  const size = to.imageSize
  if (to.resize === 'stretch') return input.resize(size, size, { fit: 'fill' })
  if (to.resize === 'pad') return input.resize(size, size, { fit: 'contain', background: to.background })
  // Cutting here would leave the last rows of a tall file unread, and damage in them unseen.
  if (!isVeryLong(facts)) return input.resize(size, size, { fit: 'outside' })
  const side = Math.min(facts.width, facts.height)
  const left = Math.floor((facts.width - side) / 2)
  const top = Math.floor((facts.height - side) / 2)
  return input.extract({ left, top, width: side, height: side }).resize(size, size, { fit: 'fill' })
}

/**
 * Upright, opaque, in the model's colours; still at its own size, and a JPEG is decoded at it: with a colour space asked
 * for, the library takes no shortcut.
 */
function coloured(input: Sharp, format: ImageFormat, to: Transform): Sharp {
  const opaque = input.autoOrient().flatten({ background: to.background })
  // Grey images become RGB first, so that the background keeps its colour.
  const inColour = to.channelsIn === 3 || format === 'jpeg' ? opaque.pipelineColourspace('srgb') : opaque
  return to.channelsIn === 1 ? inColour.greyscale() : inColour.toColourspace('srgb')
}

/**
 * A large JPEG scaled down by its own transform, which is decoded in half the time; upright and in sRGB. The library does
 * not tell of damage in the last rows then, so that their last pixel is looked at.
 * @returns null when it has to be decoded whole
 */
async function scaledDown(
  data: Buffer,
  input: Sharp,
  metadata: Metadata,
  to: Transform,
): Promise<Sharp | null> {
  const { autoOrient, space, orientation = 1 } = metadata
  const scale = scaleOf(autoOrient.width, autoOrient.height, to)
  if (scale === 1 || (space !== 'srgb' && space !== 'b-w') || !hasSoundEnd(data)) return null
  const [width, height] = [autoOrient.width / scale, autoOrient.height / scale]
  const smaller = input.clone().autoOrient().resize(width, height, { fit: 'fill' }).toColourspace('srgb')
  const { data: pixels, info } = await smaller.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  const { channels } = info
  const corner = isLastCorner(orientation)
  const at = ((corner.bottom ? height - 1 : 0) * width + (corner.right ? width - 1 : 0)) * channels
  if (looksMissing(pixels.subarray(at, at + channels))) return null
  return sharp(pixels, { raw: { width, height, channels } })
}

export interface DecodedImage {
  facts: ImageFacts
  /** [imageSize, imageSize, channelsIn] bytes. */
  pixels: Uint8Array
}

/**
 * The image as the model sees it: upright, transparency over the background, sRGB or grey, 8 bits, and not resampled when
 * its size fits already. Every pixel of the file is decoded, so that one that is not whole is refused.
 * @param turns for large images, so that they are decoded one after the other
 * @throws Unusable `corrupt`, `too-large` or `unsupported-format`
 */
export async function readImage(
  data: Buffer,
  format: ImageFormat,
  to: Transform,
  turns: Turns = takeTurns,
): Promise<DecodedImage> {
  return decode(data, format, async (input) => {
    const metadata = await input.metadata()
    const facts = factsOf(metadata, format)
    const read = async (): Promise<DecodedImage> => {
      if (isVeryLong(facts)) await readToTheEnd(input.clone(), metadata, format)
      const smaller = format === 'jpeg' ? await scaledDown(data, input, metadata, to) : null
      const output = scaled(coloured(smaller ?? input, format, to), facts, to).raw({ depth: 'uchar' })
      const { data: bytes, info } = await output.toBuffer({ resolveWithObject: true })
      const { imageSize, channelsIn } = to
      if (info.channels !== channelsIn || info.width < imageSize || info.height < imageSize) {
        const { width, height, channels } = info
        throw new GyreError(
          'internal',
          `Decoding gave ${width}×${height}×${channels} for ${imageSize} pixels.`,
        )
      }
      return { facts, pixels: centre(bytes, info.width, info.height, channelsIn, imageSize) }
    }
    return isLarge(facts) ? turns(read) : read()
  })
}

/** PNG with at most `size` pixels on the longer side; transparency is kept, small images are not enlarged. */
export async function toThumbnail(data: Buffer, format: ImageFormat, size: number): Promise<Uint8Array> {
  return decode(data, format, async (input) => {
    const facts = factsOf(await input.metadata(), format)
    const inside = { fit: 'inside', withoutEnlargement: true } as const
    const output = input.autoOrient().resize(size, size, inside).toColourspace('srgb')
    const encode = (): Promise<Buffer> => output.png({ compressionLevel: 3 }).toBuffer()
    return isLarge(facts) ? takeTurns(encode) : encode()
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
