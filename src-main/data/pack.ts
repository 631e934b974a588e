// Packs a dataset under a transform: every image decoded once into shards of uint8 pixels, in a folder that is renamed
// into place when it is whole. The folder is a cache, keyed by fingerprint and transform.
import { mkdir, open, rename, rm, stat, statfs, writeFile, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import type { DatasetFile, DatasetItem } from '#shared/contract/files'
import type { Transform } from '#shared/contract/common'
import { atomicWriteJson, syncFolder, temporaryPath } from './atomic'
import { eachItem, readDataset, readItems, sourceFolder } from './dataset'
import { toPixels } from './decode'
import { describeFsError } from './fs-errors'
import { mapInOrder, parallelFiles } from './limits'
import {
  imageBytes,
  imagesFileName,
  packFileName,
  packKey,
  packVersion,
  shardBytes,
  shardName,
  type MissingFile,
  type PackFile,
} from './pack-format'
import { openPack } from './pack-reader'
import { joinInside } from './paths'
import { createReporter, throwIfCancelled, type WorkOptions } from './progress'
import { readSourceFile } from './source-file'
import { Unusable } from './unusable'

export interface PackOptions extends WorkOptions {
  datasetFolder: string
  transform: Transform
}

/** Where the pack of a dataset under a transform is or will be. */
export function packFolderOf(datasetFolder: string, fingerprint: string, transform: Transform): string {
  return join(datasetFolder, 'packs', packKey(fingerprint, transform))
}

type Decoded = { position: number; file: string } & ({ pixels: Uint8Array } | { missing: string })

async function decodeItem(
  root: string,
  position: number,
  item: DatasetItem,
  to: Transform,
): Promise<Decoded> {
  const { file } = item
  try {
    const { data, format } = await readSourceFile(joinInside(root, file), item)
    return { position, file, pixels: await toPixels(data, format, to) }
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    return { position, file, missing: error.detail }
  }
}

/** Appends images to shards, syncing each shard once it is full. */
function createShardWriter(folder: string, imagesPerShard: number) {
  let shard: FileHandle | null = null
  let count = 0
  const close = async (): Promise<void> => {
    const closing = shard
    shard = null
    if (closing === null) return
    try {
      await closing.sync()
    } finally {
      await closing.close()
    }
  }
  return {
    async append(pixels: Uint8Array): Promise<void> {
      if (count % imagesPerShard === 0) {
        await close()
        shard = await open(join(folder, shardName(count / imagesPerShard)), 'wx')
      }
      await shard?.writeFile(pixels)
      count += 1
    },
    close,
  }
}

async function checkSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= neededBytes) return
  const mb = (value: number): string => `${Math.ceil(value / 1e6)} MB`
  throw new GyreError(
    'no-space',
    `The prepared images need ${mb(neededBytes)}, and the disk has ${mb(bavail * bsize)} left.`,
    'Make room, choose a smaller image size, or move the library (GYRE_HOME).',
  )
}

async function checkSource(root: string): Promise<void> {
  await stat(root).catch((error: unknown) => {
    throw describeFsError(error, `The folder of this dataset, ${root},`)
  })
}

/** A file named as missing can be read again: then the pack is not what it could be. */
async function isAnyBack(root: string, datasetFolder: string, missing: MissingFile[]): Promise<boolean> {
  for (const { item: position, file } of missing) {
    const info = await stat(joinInside(root, file)).catch(() => null)
    if (info === null) continue
    const item = (await readItems(datasetFolder, position, 1)).items[0]
    if (item?.sizeBytes === info.size && item.modifiedMs === info.mtimeMs) return true
  }
  return false
}

async function isUsable(packFolder: string, datasetFolder: string, dataset: DatasetFile): Promise<boolean> {
  try {
    const pack = openPack(packFolder)
    pack.close()
    if (pack.info.fingerprint !== dataset.fingerprint) return false
    return !(await isAnyBack(sourceFolder(datasetFolder, dataset), datasetFolder, pack.info.missing))
  } catch {
    return false
  }
}

async function writePack(folder: string, dataset: DatasetFile, options: PackOptions): Promise<void> {
  const { datasetFolder, transform, signal } = options
  const root = sourceFolder(datasetFolder, dataset)
  const imagesPerShard = Math.max(1, Math.floor(shardBytes / imageBytes(transform)))
  const shards = createShardWriter(folder, imagesPerShard)
  const reporter = createReporter(options, 'Preparing images', 'images')
  const names: string[] = []
  const missing: MissingFile[] = []
  let done = 0
  try {
    const work = ({ position, item }: { position: number; item: DatasetItem }) =>
      decodeItem(root, position, item, transform)
    for await (const image of mapInOrder(eachItem(datasetFolder), 2 * parallelFiles, work)) {
      throwIfCancelled(signal)
      if ('pixels' in image) {
        await shards.append(image.pixels)
        names.push(JSON.stringify([image.position, image.file]))
      } else {
        missing.push({ item: image.position, file: image.file, detail: image.missing })
      }
      done += 1
      reporter.report(done, dataset.imageCount)
    }
  } finally {
    await shards.close()
  }
  if (names.length === 0) {
    throw new GyreError(
      'not-found',
      'None of the images of this dataset can be read any more.',
      missing[0]?.detail,
    )
  }
  const imagesFile = join(folder, imagesFileName)
  await writeFile(imagesFile, `${names.join('\n')}\n`, { flush: true })
  const pack: PackFile = {
    packVersion,
    key: packKey(dataset.fingerprint, transform),
    fingerprint: dataset.fingerprint,
    transform,
    count: names.length,
    imagesPerShard,
    missing,
  }
  await atomicWriteJson(join(folder, packFileName), pack)
  reporter.finish(done)
}

/** Puts a whole pack in its place; whatever was there was not usable, or is the same made by another process. */
async function moveIntoPlace(temporary: string, packFolder: string): Promise<void> {
  await rm(packFolder, { recursive: true, force: true })
  await rename(temporary, packFolder)
  await syncFolder(dirname(packFolder))
}

/**
 * Makes the pack, or returns at once when a usable one is there. Files that are gone or changed since the scan are
 * left out and named in the pack's `missing`.
 * @returns the pack's folder
 * @throws GyreError `not-found` when the source or all images are gone, `no-space`, `cancelled`
 */
export async function packDataset(options: PackOptions): Promise<string> {
  const { datasetFolder, transform } = options
  const dataset = await readDataset(datasetFolder)
  if (dataset.imageCount === 0) {
    throw new GyreError(
      'invalid-input',
      `The dataset “${dataset.name}” has no usable images.`,
      'Its report says why each file was left out.',
    )
  }
  const packFolder = packFolderOf(datasetFolder, dataset.fingerprint, transform)
  if (await isUsable(packFolder, datasetFolder, dataset)) return packFolder
  await checkSource(sourceFolder(datasetFolder, dataset))
  const temporary = temporaryPath(dirname(packFolder))
  try {
    await mkdir(temporary, { recursive: true })
    await checkSpace(temporary, dataset.imageCount * imageBytes(transform))
    await writePack(temporary, dataset, options)
    await moveIntoPlace(temporary, packFolder)
    return packFolder
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    throw describeFsError(error, packFolder)
  }
}
