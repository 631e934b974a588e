// Images to a tokens file and back: `tokens` int32 [N, H, W], `latents` float32 [N, H, W, D] (the encoder's output before
// the nearest code is sought), and the file names in the metadata. A tokens file may come from anybody.
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import sharp from 'sharp'
import { z } from 'zod'
import { GyreError } from '#shared/contract/errors'
import { temporaryPath } from '#main/data/atomic'
import type { PackReader } from '#main/data/pack-reader'
import { createSafetensorsWriter, readSafetensors } from '#main/export/safetensors'
import type { VqModel } from '#main/model/index'
import { forEachBatch, passBatch, type PassOptions } from './passes'
import { pixelBytes } from './tensors'

/** Writes tokens and latents of every image of the pack; the file appears when it is whole. */
export async function encodeImages(
  model: VqModel,
  pack: PackReader,
  out: string,
  { step, ...options }: PassOptions & { step: number },
): Promise<{ images: number; tokens: [number, number] }> {
  const images = pack.info.count
  const shape = [images, ...model.tokens]
  const files = pack.files()
  const specs = [
    { name: 'tokens', dtype: 'I32', shape },
    { name: 'latents', dtype: 'F32', shape: [...shape, model.config.codeDim] },
  ] as const
  await mkdir(dirname(out), { recursive: true })
  const writer = await createSafetensorsWriter(out, specs, {
    format: 'gyre-tokens',
    step: String(step),
    files: JSON.stringify(files),
  })
  try {
    let pending: Promise<void> = Promise.resolve()
    const visit = (x: tf.Tensor4D): void => {
      const z = model.encode(x) // [N, H, W, D]
      const tokens = model.nearest(z).indices.dataSync() as Int32Array
      const latents = z.dataSync() as Float32Array
      pending = pending
        .then(() => writer.append('tokens', tokens))
        .then(() => writer.append('latents', latents))
      // Told by the `await` below; until then it must not count as unhandled.
      pending.catch(() => undefined)
    }
    await forEachBatch(
      pack,
      Int32Array.from(files, (_, i) => i),
      visit,
      options,
    )
    await pending
    await writer.finish()
  } finally {
    await writer.abort()
  }
  return { images, tokens: model.tokens }
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
  const [count, height, width] = tensor?.shape ?? []
  if (
    !(tensor?.data instanceof Int32Array) ||
    tensor.shape.length !== 3 ||
    height !== rows ||
    width !== columns
  )
    throw new GyreError(
      'invalid-input',
      `The file’s tokens do not fit this model: it has ${rows} × ${columns} tokens an image, as int32.`,
    )
  const { codebookSize } = model.config
  const wrong = tensor.data.find((code) => code < 0 || code >= codebookSize)
  if (wrong !== undefined)
    throw new GyreError(
      'invalid-input',
      `The file names code ${wrong}, but the codebook has ${codebookSize} codes.`,
    )
  return { tokens: tensor.data, names: outputNames(namesOf(metadata, count ?? 0)) }
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

/** Writes a PNG of every image of a tokens file into the folder `out`. */
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
  const batch = passBatch(imageSize)
  await mkdir(out, { recursive: true })
  for (let start = 0; start < names.length; start += batch) {
    signal?.throwIfAborted()
    const part = names.slice(start, start + batch)
    const codes = tokens.subarray(start * rows * columns, (start + part.length) * rows * columns)
    const pixels = tf.tidy(() => pixelBytes(model.decode(codeGrid(model, codes))))
    const write = (name: string, i: number): Promise<void> =>
      writePicture(join(out, name), pixels.subarray(i * bytes, (i + 1) * bytes), imageSize, channelsIn)
    await Promise.all(part.map(write))
    onProgress?.(start + part.length, names.length)
    await setImmediate()
  }
  return { images: names.length }
}

/** Codes of whole images → their vectors [N, H, W, D]. */
export function codeGrid(model: VqModel, codes: Int32Array): tf.Tensor4D {
  const [rows, columns] = model.tokens
  const count = codes.length / (rows * columns)
  return tf.tidy(() =>
    tf.reshape(tf.gather(model.codebook(), tf.tensor1d(codes, 'int32')), [
      count,
      rows,
      columns,
      model.config.codeDim,
    ]),
  )
}
