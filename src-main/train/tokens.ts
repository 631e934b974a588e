// Images to a tokens file and back: `tokens` int32 [N, H, W] ([N, H, W, B] with B codebooks, each index within its own),
// `latents` float32 [N, H, W, L] (the encoder's output before the nearest code is sought), and the file names in the
// metadata. A tokens file may come from anybody.
import { lstat, mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import sharp from 'sharp'
import { z } from 'zod'
import { latentWidth } from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import { temporaryPath } from '#main/data/atomic'
import type { PackReader } from '#main/data/pack-reader'
import { createSafetensorsWriter, openSafetensors, readSafetensors } from '#main/export/safetensors'
import type { VqModel } from '#main/model/index'
import type { Computation, Forward, Numbers } from './forward'
import { forEachBatch, passBatch, type PassOptions } from './passes'
import { pixelBytes } from './tensors'

const format = 'gyre-tokens'

/** An earlier tokens file may be replaced, never a file of the person's that happens to have the name. */
async function refuseForeignFile(out: string): Promise<void> {
  if (!(await lstat(out).catch(() => null))) return
  const reader = await openSafetensors(out).catch(() => null)
  await reader?.close()
  if (reader?.metadata.get('format') === format) return
  throw new GyreError(
    'invalid-input',
    `“${out}” is there already and is no tokens file.`,
    'Choose another name.',
  )
}

/** Decoding into a folder that holds the images themselves must not replace them. */
async function refuseToReplace(out: string, names: readonly string[]): Promise<void> {
  if ((await readdir(out)).length === 0) return
  for (const name of names)
    if (await lstat(join(out, name)).catch(() => null))
      throw new GyreError(
        'invalid-input',
        `The folder “${out}” already holds “${name}”, which Gyre does not replace.`,
        'Choose a new or empty folder.',
      )
}

const encoding: Computation<'latents' | 'indices'> = {
  name: 'encode',
  compute: (model, x) => {
    const latents = model.encode(x) // [N, H, W, L]
    return { latents, indices: model.nearest(latents).indices }
  },
}

/** Writes tokens and latents of every image of the pack; the file appears when it is whole. */
export async function encodeImages(
  { model, forward }: { model: VqModel; forward: Forward },
  pack: PackReader,
  out: string,
  { step, ...options }: PassOptions & { step: number },
): Promise<{ images: number; tokens: [number, number] }> {
  const images = pack.info.count
  const shape = [images, ...model.tokens]
  const { books } = model.quantizer
  const files = pack.files()
  const specs = [
    { name: 'tokens', dtype: 'I32', shape: books > 1 ? [...shape, books] : shape },
    { name: 'latents', dtype: 'F32', shape: [...shape, latentWidth(model.config)] },
  ] as const
  await mkdir(dirname(out), { recursive: true })
  await refuseForeignFile(out)
  const writer = await createSafetensorsWriter(out, specs, {
    format,
    step: String(step),
    files: JSON.stringify(files),
  })
  try {
    let pending: Promise<void> = Promise.resolve()
    const visit = async ({ latents, indices }: Numbers<'latents' | 'indices'>): Promise<void> => {
      // One batch is written while the next is computed; a slow disk holds up the rest.
      await pending
      pending = writer
        .append('tokens', withinBooks(indices as Int32Array, model))
        .then(() => writer.append('latents', latents as Float32Array))
      // Told by the next `await`; until then it must not count as unhandled.
      pending.catch(() => undefined)
    }
    const indices = Int32Array.from(files, (_, i) => i)
    await forEachBatch({ forward, pack, indices }, encoding, visit, options)
    await pending
    await writer.finish()
  } finally {
    await writer.abort()
  }
  return { images, tokens: model.tokens }
}

/** Numbers of codes (book · K + index) → indices within each codebook. */
function withinBooks(numbers: Int32Array, { quantizer: { size } }: VqModel): Int32Array {
  return numbers.map((number) => number % size)
}

/** And back: the last axis goes through the codebooks. */
function throughBooks(indices: Int32Array, { quantizer: { books, size } }: VqModel): Int32Array {
  return indices.map((index, at) => (at % books) * size + index)
}

const namesShape = z.array(z.string())

/** Names from a file's metadata; numbers where there are none that fit. */
function namesOf(metadata: ReadonlyMap<string, string>, count: number): string[] {
  const numbered = Array.from({ length: count }, (_, i) => `image-${String(i).padStart(6, '0')}`)
  try {
    const names = namesShape.parse(JSON.parse(metadata.get('files') ?? '[]'))
    return names.length === count ? names : numbered
  } catch {
    return numbered
  }
}

/** A path that stays inside whatever folder it is joined to, and that every system can hold. */
function safePath(name: string): string {
  const parts = name.split(/[/\\]/).map((part) => {
    // eslint-disable-next-line no-control-regex -- names from a file may hold anything
    const clean = part.replace(/[\u0000-\u001f<>:"|?*]/g, '_').replace(/[. ]+$/, '')
    return clean.slice(0, 120)
  })
  return parts.filter((part) => part !== '').join('/') || 'image'
}

/** Where each image goes, relative to the folder: its own name as PNG; where two would meet, the full name and a number. */
export function outputNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    const safe = safePath(name)
    const candidates = [safe.slice(0, safe.length - extname(safe).length), safe]
    let path = candidates.find((one) => !taken.has(`${one}.png`.toLowerCase()))
    for (let i = 2; path === undefined; i++)
      if (!taken.has(`${safe}-${i}.png`.toLowerCase())) path = `${safe}-${i}`
    taken.add(`${path}.png`.toLowerCase())
    return `${path}.png`
  })
}

async function readTokens(path: string, model: VqModel): Promise<{ tokens: Int32Array; names: string[] }> {
  const { tensors, metadata } = await readSafetensors(path, ['tokens'])
  const tensor = tensors.get('tokens')
  const [rows, columns] = model.tokens
  const [count, height, width, depth = 1] = tensor?.shape ?? []
  const { books } = model.quantizer
  if (
    !(tensor?.data instanceof Int32Array) ||
    tensor.shape.length !== (books > 1 ? 4 : 3) ||
    depth !== books ||
    height !== rows ||
    width !== columns
  )
    throw new GyreError(
      'invalid-input',
      `The file’s tokens do not fit this model: it has ${[rows, columns, ...(books > 1 ? [books] : [])].join(' × ')} tokens an image, as int32.`,
    )
  const { codebookSize } = model.config
  const wrong = tensor.data.find((code) => code < 0 || code >= codebookSize)
  if (wrong !== undefined)
    throw new GyreError(
      'invalid-input',
      `The file names code ${wrong}, but the codebook has ${codebookSize} codes.`,
    )
  return { tokens: throughBooks(tensor.data, model), names: outputNames(namesOf(metadata, count ?? 0)) }
}

async function writePicture(path: string, pixels: Uint8Array, size: number, channels: 1 | 3): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = temporaryPath(dirname(path))
  await writeFile(
    temporary,
    await sharp(pixels, { raw: { width: size, height: size, channels } })
      .png()
      .toBuffer(),
  )
  await rename(temporary, path)
}

/** Writes a PNG of every image of a tokens file into the folder `out`; refused where one would replace a file. */
export async function decodeTokens(
  model: VqModel,
  path: string,
  out: string,
  { onProgress, signal }: PassOptions = {},
): Promise<{ images: number }> {
  const { tokens, names } = await readTokens(path, model)
  const { imageSize, channelsIn } = model.config
  const [rows, columns] = model.tokens
  const bytes = imageSize * imageSize * channelsIn
  const perImage = rows * columns * model.quantizer.books
  const batch = passBatch(imageSize)
  await mkdir(out, { recursive: true })
  await refuseToReplace(out, names)
  for (let start = 0; start < names.length; start += batch) {
    signal?.throwIfAborted()
    const part = names.slice(start, start + batch)
    const codes = tokens.subarray(start * perImage, (start + part.length) * perImage)
    const pixels = tf.tidy(() =>
      pixelBytes(model.decode(model.lookUp(tf.tensor1d(codes, 'int32'))).dataSync()),
    )
    const write = (name: string, i: number): Promise<void> =>
      writePicture(join(out, name), pixels.subarray(i * bytes, (i + 1) * bytes), imageSize, channelsIn)
    await Promise.all(part.map(write))
    onProgress?.(start + part.length, names.length)
    await setImmediate()
  }
  return { images: names.length }
}
