// The fixed validation images of a run and their reconstructions over time, as PNG files in `samples/`.
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { temporaryPath } from '#main/data/atomic'
import type { PackReader } from '#main/data/pack-reader'
import type { Computation, Forward } from './forward'
import { forEachBatch } from './passes'
import { spread } from './run-folder'
import { pixelBytes } from './tensors'

const sampleImages = 12

const samplesFolder = (runFolder: string): string => join(runFolder, 'samples')
const stepPrefix = (step: number): string => `step-${String(step).padStart(7, '0')}`

/** Positions in the pack of the images that are shown: evenly spread over the validation images. */
export function sampleIndices(validation: Int32Array): Int32Array {
  return spread(validation, sampleImages)
}

/** Complete or absent, though not forced to disk at once: a lost picture is drawn again by the next evaluation. */
async function writePng(path: string, pixels: Uint8Array, size: number, channels: 1 | 3): Promise<void> {
  const png = await sharp(pixels, { raw: { width: size, height: size, channels } })
    .png()
    .toBuffer()
  const temporary = temporaryPath(join(path, '..'))
  await writeFile(temporary, png)
  await rename(temporary, path)
}

async function writeAll(folder: string, prefix: string, pixels: Uint8Array, pack: PackReader): Promise<void> {
  const { imageSize, channels } = pack.info
  const bytes = imageSize * imageSize * channels
  const names = Array.from({ length: pixels.length / bytes }, (_, i) => join(folder, `${prefix}-${i}.png`))
  await Promise.all(
    names.map((name, i) =>
      writePng(name, pixels.subarray(i * bytes, (i + 1) * bytes), imageSize, channels === 1 ? 1 : 3),
    ),
  )
}

/** Writes `original-<i>.png`. */
export async function writeOriginals(
  runFolder: string,
  pack: PackReader,
  indices: Int32Array,
): Promise<void> {
  const { imageSize, channels } = pack.info
  const pixels = new Uint8Array(indices.length * imageSize * imageSize * channels)
  await pack.readAsync(indices, pixels)
  await mkdir(samplesFolder(runFolder), { recursive: true })
  await writeAll(samplesFolder(runFolder), 'original', pixels, pack)
}

const rebuilding: Computation<'images'> = {
  name: 'rebuild',
  compute: (model, x) => ({ images: model.decode(model.nearest(model.encode(x)).output) }), // [N, S, S, C]
}

/** Writes `step-0000100-<i>.png`: what the model makes of the images now. */
export async function writeReconstructions(
  runFolder: string,
  step: number,
  forward: Forward,
  pack: PackReader,
  indices: Int32Array,
): Promise<void> {
  const parts: Uint8Array[] = []
  await forEachBatch({ forward, pack, indices }, rebuilding, ({ images }) => parts.push(pixelBytes(images)))
  await writeAll(samplesFolder(runFolder), stepPrefix(step), Buffer.concat(parts), pack)
}

/** Removes reconstructions of steps that are to be trained again. */
export async function dropSamplesAfter(runFolder: string, step: number): Promise<void> {
  const names = await readdir(samplesFolder(runFolder)).catch(() => [])
  for (const name of names) {
    const found = /^step-(\d+)-\d+\.png$/.exec(name)
    if (found && Number(found[1]) > step) await rm(join(samplesFolder(runFolder), name), { force: true })
  }
}
