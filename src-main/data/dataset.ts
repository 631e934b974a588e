// A dataset on disk: dataset.json (written last, so that it exists only whole) with the report's counts, and the lists
// items.jsonl and skipped.jsonl beside it.
import { createHash } from 'node:crypto'
import { mkdir, readFile, statfs } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import {
  datasetFile,
  datasetItem,
  schemaVersion,
  skippedFile,
  type DatasetFile,
  type DatasetItem,
  type SkippedFile,
} from '#shared/contract/files'
import { atomicWriteJson } from './atomic'
import type { Transform } from '#shared/contract/common'
import { describeFsError } from './fs-errors'
import { createLineWriter, readLines } from './jsonl'
import { imageBytes } from './pack-format'
import { openPack } from './pack-reader'
import { createPackWriter, packFolderOf, type NamedImage, type PackWriter } from './pack-write'
import { joinInside } from './paths'
import { openScan, type ScanOptions } from './scan'

const itemsPath = (folder: string): string => join(folder, 'items.jsonl')
export const skippedFileName = 'skipped.jsonl'
const skippedPath = (folder: string): string => join(folder, skippedFileName)
const datasetPath = (folder: string): string => join(folder, 'dataset.json')

export interface ImportOptions extends ScanOptions {
  /** Gyre's own folder of this dataset; made if it is not there. */
  datasetFolder: string
  /** Absolute, or for `copy` relative to `datasetFolder`. */
  source: string
  kind: DatasetFile['kind']
  id: string
  name: string
  licence?: string
  /**
   * The transform that the first run will probably ask for: its pack is made on the way, because decoding an image to
   * check it and to pack it is the same work.
   */
  prepare?: Transform
}

/** Absolute path of the source folder; that of a copy lies in the dataset's own. */
export function sourceFolder(datasetFolder: string, dataset: Pick<DatasetFile, 'source' | 'kind'>): string {
  const { kind, source } = dataset
  return kind === 'copy' ? joinInside(datasetFolder, source) : resolve(datasetFolder, source)
}

function createSummary() {
  const fingerprint = createHash('sha256')
  const counts = {
    formats: new Map<string, number>(),
    modes: new Map<string, number>(),
    labels: new Map<string, number>(),
    skipReasons: new Map<string, number>(),
  }
  const sums = { imageCount: 0, skippedCount: 0, sizeBytes: 0, withAlpha: 0 }
  const widths = { min: Infinity, max: 0 }
  const heights = { min: Infinity, max: 0 }
  const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1)
  const widen = (range: { min: number; max: number }, value: number): void => {
    range.min = Math.min(range.min, value)
    range.max = Math.max(range.max, value)
  }
  return {
    addItem(item: DatasetItem): void {
      fingerprint.update(`${JSON.stringify([item.file, item.sizeBytes, item.modifiedMs])}\n`)
      sums.imageCount += 1
      sums.sizeBytes += item.sizeBytes
      if (item.hasAlpha) sums.withAlpha += 1
      widen(widths, item.width)
      widen(heights, item.height)
      count(counts.formats, item.format)
      count(counts.modes, item.mode)
      count(counts.labels, item.label)
    },
    addSkipped(skipped: SkippedFile): void {
      sums.skippedCount += 1
      count(counts.skipReasons, skipped.reason)
    },
    result: () => ({
      ...sums,
      fingerprint: fingerprint.digest('hex'),
      minWidth: Math.min(widths.min, widths.max),
      maxWidth: widths.max,
      minHeight: Math.min(heights.min, heights.max),
      maxHeight: heights.max,
      formats: Object.fromEntries(counts.formats),
      modes: Object.fromEntries(counts.modes),
      labels: Object.fromEntries(counts.labels),
      skipReasons: Object.fromEntries(counts.skipReasons),
    }),
  }
}

/** A pack that nobody has asked for yet may take up no more than this share of the free space. */
const shareOfSpace = 1 / 4

/** Whether the dataset, as it was imported last, has this pack: then the files have probably not changed. */
async function isPrepared(datasetFolder: string, transform: Transform): Promise<boolean> {
  try {
    const { fingerprint } = await readDataset(datasetFolder)
    openPack(packFolderOf(datasetFolder, fingerprint, transform)).close()
    return true
  } catch {
    return false
  }
}

/** The pack that an import makes on the way. Where it can't be made, a run makes it and says why not. */
async function startPack(
  { datasetFolder, prepare }: ImportOptions,
  count: number,
): Promise<PackWriter | null> {
  if (!prepare || count === 0 || (await isPrepared(datasetFolder, prepare))) return null
  try {
    const { bavail, bsize } = await statfs(datasetFolder)
    if (count * imageBytes(prepare) > bavail * bsize * shareOfSpace) return null
    return await createPackWriter(datasetFolder, prepare)
  } catch {
    return null
  }
}

/**
 * Scans `source` and writes the dataset's files. A folder without any usable image still becomes a dataset, because
 * its report says why.
 * @throws GyreError about the source folder, `no-space`, or `cancelled`; nothing readable is left then
 */
export async function importDataset(options: ImportOptions): Promise<DatasetFile> {
  const { datasetFolder, source, kind, id, name, licence, prepare } = options
  await mkdir(datasetFolder, { recursive: true }).catch((error: unknown) => {
    throw describeFsError(error, datasetFolder)
  })
  const items = await createLineWriter(itemsPath(datasetFolder))
  const skipped = await createLineWriter(skippedPath(datasetFolder))
  const summary = createSummary()
  let pack: PackWriter | null = null
  const giveUpPack = async (): Promise<void> => {
    await pack?.discard()
    pack = null
  }
  try {
    const scan = await openScan(sourceFolder(datasetFolder, options), options)
    pack = await startPack(options, scan.total)
    for await (const { results, pixels } of scan.parts(prepare)) {
      const images: NamedImage[] = []
      for (const found of results) {
        if (found.kind === 'item') {
          images.push([items.count, found.item.file])
          summary.addItem(found.item)
          await items.append(found.item)
        } else {
          summary.addSkipped(found.skipped)
          await skipped.append(found.skipped)
        }
      }
      await pack?.append(images, pixels).catch(giveUpPack)
    }
    await items.finish()
    await skipped.finish()
    const dataset = datasetFile.parse({
      schemaVersion,
      id,
      name,
      createdAt: new Date().toISOString(),
      kind,
      source,
      licence,
      ...summary.result(),
    })
    if (dataset.imageCount > 0) await pack?.finish(dataset.fingerprint).catch(giveUpPack)
    await atomicWriteJson(datasetPath(datasetFolder), dataset)
    return dataset
  } finally {
    await pack?.discard()
    await items.discard()
    await skipped.discard()
  }
}

/** @throws GyreError `not-found`, `corrupt`, or `unsupported` for a file of a newer Gyre */
export async function readDataset(datasetFolder: string): Promise<DatasetFile> {
  const path = datasetPath(datasetFolder)
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new GyreError('corrupt', `${path} is damaged.`, 'Import the folder again.', { cause: error })
    }
    throw describeFsError(error, path)
  }
  const version = datasetFile.pick({ schemaVersion: true }).safeParse(value)
  if (version.success && version.data.schemaVersion > schemaVersion) {
    throw new GyreError('unsupported', `${path} was written by a newer Gyre.`, 'Update Gyre to open it.')
  }
  const parsed = datasetFile.safeParse(value)
  if (!parsed.success) {
    throw new GyreError('corrupt', `${path} is damaged.`, 'Import the folder again.', { cause: parsed.error })
  }
  return parsed.data
}

/** A page of the used files, in the order of the scan. */
export async function readItems(
  datasetFolder: string,
  offset: number,
  limit: number,
): Promise<{ total: number; items: DatasetItem[] }> {
  const { total, values } = await readLines(itemsPath(datasetFolder), offset, limit, (value) =>
    datasetItem.parse(value),
  )
  return { total, items: values }
}

/** A page of the files that are not used, with the reasons. */
export async function readSkipped(
  datasetFolder: string,
  offset: number,
  limit: number,
): Promise<{ total: number; items: SkippedFile[] }> {
  const { total, values } = await readLines(skippedPath(datasetFolder), offset, limit, (value) =>
    skippedFile.parse(value),
  )
  return { total, items: values }
}

/** All used files with their positions, a page at a time. */
export async function* eachItem(
  datasetFolder: string,
): AsyncGenerator<{ position: number; item: DatasetItem }[]> {
  const pageLines = 1024
  for (let offset = 0; ; offset += pageLines) {
    const { total, items } = await readItems(datasetFolder, offset, pageLines)
    yield items.map((item, i) => ({ position: offset + i, item }))
    if (offset + pageLines >= total) return
  }
}
