// A dataset on disk: dataset.json (written last, so that it exists only whole) with the report's counts, and the lists
// items.jsonl and skipped.jsonl beside it.
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
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
import { describeFsError } from './fs-errors'
import { createLineWriter, readLines } from './jsonl'
import { joinInside } from './paths'
import type { WorkOptions } from './progress'
import { scanFolder } from './scan'

const itemsPath = (folder: string): string => join(folder, 'items.jsonl')
export const skippedFileName = 'skipped.jsonl'
const skippedPath = (folder: string): string => join(folder, skippedFileName)
const datasetPath = (folder: string): string => join(folder, 'dataset.json')

export interface ImportOptions extends WorkOptions {
  /** Gyre's own folder of this dataset; made if it is not there. */
  datasetFolder: string
  /** Absolute, or for `copy` relative to `datasetFolder`. */
  source: string
  kind: DatasetFile['kind']
  id: string
  name: string
  licence?: string
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

/**
 * Scans `source` and writes the dataset's files. A folder without any usable image still becomes a dataset, because
 * its report says why.
 * @throws GyreError about the source folder, `no-space`, or `cancelled`; nothing readable is left then
 */
export async function importDataset(options: ImportOptions): Promise<DatasetFile> {
  const { datasetFolder, source, kind, id, name, licence } = options
  await mkdir(datasetFolder, { recursive: true }).catch((error: unknown) => {
    throw describeFsError(error, datasetFolder)
  })
  const items = await createLineWriter(itemsPath(datasetFolder))
  const skipped = await createLineWriter(skippedPath(datasetFolder))
  const summary = createSummary()
  try {
    for await (const found of scanFolder(sourceFolder(datasetFolder, options), options)) {
      if (found.kind === 'item') {
        summary.addItem(found.item)
        await items.append(found.item)
      } else {
        summary.addSkipped(found.skipped)
        await skipped.append(found.skipped)
      }
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
    await atomicWriteJson(datasetPath(datasetFolder), dataset)
    return dataset
  } finally {
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

/** All used files with their positions, a page at a time in memory. */
export async function* eachItem(
  datasetFolder: string,
): AsyncGenerator<{ position: number; item: DatasetItem }> {
  const pageLines = 1024
  for (let offset = 0; ; offset += pageLines) {
    const { total, items } = await readItems(datasetFolder, offset, pageLines)
    for (const [i, item] of items.entries()) yield { position: offset + i, item }
    if (offset + pageLines >= total) return
  }
}
