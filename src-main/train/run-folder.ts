// What the trainer reads of a run folder and of its images. It never writes run.json: the service owns that file.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunConfig } from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import { runFile, schemaVersion } from '#shared/contract/files'
import { describeFsError } from '#main/data/fs-errors'
import { openPack, type PackReader } from '#main/data/pack-reader'
import { splitIndices } from '#main/data/split'

/** Images that stand in where no share is kept for validation. */
const standInImages = 1024

/** The settings of a run. Throws `not-found`, `corrupt`, or `unsupported` for a newer version's run. */
export async function readRunConfig(runFolder: string): Promise<RunConfig> {
  const path = join(runFolder, 'run.json')
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw describeFsError(error, path)
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new GyreError('corrupt', 'run.json is not valid JSON.', undefined, { cause: error })
  }
  const version = (value as { schemaVersion?: unknown } | null)?.schemaVersion
  if (typeof version === 'number' && version > schemaVersion)
    throw new GyreError(
      'unsupported',
      'This run was made by a newer version of Gyre.',
      'Update Gyre to open it.',
    )
  const parsed = runFile.pick({ config: true }).safeParse(value)
  if (!parsed.success)
    throw new GyreError('corrupt', 'run.json does not hold a valid configuration.', undefined, {
      cause: parsed.error,
    })
  return parsed.data.config
}

/** Opens prepared images and makes sure that they are what the model takes in. */
export function openImages(folder: string, config: RunConfig): PackReader {
  const pack = openPack(folder)
  const { imageSize, channels, count } = pack.info
  if (imageSize === config.imageSize && channels === config.channelsIn && count > 0) return pack
  pack.close()
  if (count === 0) throw new GyreError('invalid-input', 'There is no image to work on.')
  throw new GyreError(
    'invalid-input',
    `The images were prepared at ${imageSize} px with ${channels} channels, the model takes ${config.imageSize} px with ${config.channelsIn}.`,
  )
}

export interface Splits {
  train: Int32Array
  /** What is measured on. */
  validation: Int32Array
  /** No image was kept out of training: `validation` is a sample of the training images. */
  measuresOnTraining: boolean
}

/** `count` of `all`, evenly spread and always the same. */
export function spread(all: Int32Array, count: number): Int32Array {
  if (all.length <= count) return all
  return Int32Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)] ?? 0)
}

/** Training and validation images of a pack, as positions in it. */
export function splitsOf(pack: PackReader, config: RunConfig): Splits {
  const { train, validation } = splitIndices(pack.files(), config.validationFraction)
  if (validation.length > 0) return { train, validation, measuresOnTraining: false }
  return { train, validation: spread(train, standInImages), measuresOnTraining: true }
}
