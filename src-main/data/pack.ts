// Packs a dataset under a transform: every image decoded once into shards of uint8 pixels. The pack is a cache, keyed by
// fingerprint and transform; an import makes one on the way, this makes any other.
import { mkdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import type { DatasetFile, DatasetItem } from '#shared/contract/files'
import type { Transform } from '#shared/contract/common'
import { eachItem, readDataset, readItems, sourceFolder } from './dataset'
import { inThisThread, type Decoders } from './decoders'
import { describeFsError } from './fs-errors'
import { imageBytes, type MissingFile } from './pack-format'
import { openPack } from './pack-reader'
import { createPackWriter, packFolderOf, type NamedImage, type PackWriter } from './pack-write'
import { joinInside } from './paths'
import { createReporter, noticeCrash, throwIfCancelled, type WorkOptions } from './progress'
import { readAhead, type Listed } from './read-ahead'

export interface PackOptions extends WorkOptions {
  datasetFolder: string
  transform: Transform
  decoders?: Decoders
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

interface ToPack extends Listed {
  position: number
  item: DatasetItem
}

async function* listed(datasetFolder: string): AsyncGenerator<ToPack[]> {
  for await (const page of eachItem(datasetFolder))
    yield page.map(({ position, item }) => ({ file: item.file, expected: item, position, item }))
}

/** Reads every item and writes what can be read. */
async function fill(pack: PackWriter, dataset: DatasetFile, options: PackOptions): Promise<void> {
  const { datasetFolder, transform, signal, decoders = inThisThread } = options
  const root = sourceFolder(datasetFolder, dataset)
  const reporter = createReporter(options, 'Preparing images', 'images')
  const settings = { root, transform }
  let firstReason: string | undefined
  let done = 0
  for await (const { entries, files, pixels, crash } of readAhead(
    listed(datasetFolder),
    decoders,
    settings,
  )) {
    throwIfCancelled(signal)
    noticeCrash(options, crash)
    const images: NamedImage[] = []
    for (const [i, { position, item }] of entries.entries()) {
      const read = files[i]
      if (read?.kind === 'image') images.push([position, item.file])
      else if (read) {
        firstReason ??= read.detail
        pack.addMissing({ item: position, file: item.file, detail: read.detail })
      }
    }
    await pack.append(images, pixels)
    done += entries.length
    reporter.report(done, dataset.imageCount)
  }
  if (pack.count === 0) {
    throw new GyreError('not-found', 'None of the images of this dataset can be read any more.', firstReason)
  }
  reporter.finish(done)
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
  let pack: PackWriter | null = null
  try {
    const packs = join(datasetFolder, 'packs')
    await mkdir(packs, { recursive: true })
    await checkSpace(packs, dataset.imageCount * imageBytes(transform))
    pack = await createPackWriter(datasetFolder, transform)
    await fill(pack, dataset, options)
    return await pack.finish(dataset.fingerprint)
  } catch (error) {
    throw describeFsError(error, packFolder)
  } finally {
    await pack?.discard()
  }
}
