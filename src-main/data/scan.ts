// Scan of a source folder: every file becomes an item or a named reason, in a fixed order, streamed. Reads only.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import type { DatasetItem, SkippedFile } from '#shared/contract/files'
import { inspectImage } from './decode'
import { describeFsError } from './fs-errors'
import { mapInOrder, parallelFiles } from './limits'
import { createReporter, throwIfCancelled, type WorkOptions } from './progress'
import { readSourceFile } from './source-file'
import { Unusable } from './unusable'
import { walk, type Found } from './walk'

export type Scanned = { kind: 'item'; item: DatasetItem } | { kind: 'skipped'; skipped: SkippedFile }

/** First folder of a relative path, or an empty string. */
export function labelOf(file: string): string {
  const end = file.indexOf('/')
  return end < 0 ? '' : file.slice(0, end)
}

async function scanFile(root: string, file: string): Promise<Scanned> {
  try {
    const { data, format, sizeBytes, modifiedMs } = await readSourceFile(join(root, file))
    const facts = await inspectImage(data, format)
    return { kind: 'item', item: { file, sizeBytes, modifiedMs, ...facts, label: labelOf(file) } }
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    return { kind: 'skipped', skipped: { file, reason: error.reason, detail: error.detail } }
  }
}

async function checkRoot(root: string): Promise<void> {
  const info = await stat(root).catch((error: unknown) => {
    throw describeFsError(error, root)
  })
  if (!info.isDirectory())
    throw new GyreError('invalid-input', `${root} is not a folder.`, 'Choose a folder of images.')
}

async function* cancellable(
  found: AsyncGenerator<Found>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Found> {
  for await (const entry of found) {
    throwIfCancelled(signal)
    yield entry
  }
}

/** Listing is quick beside decoding, and with the number of files the bar is honest. */
async function countFiles(root: string, options: WorkOptions): Promise<number> {
  const reporter = createReporter(options, 'Looking for files', 'files')
  const found = cancellable(walk(root), options.signal)
  let count = 0
  while ((await found.next()).done !== true) {
    count += 1
    reporter.report(count, 0)
  }
  return count
}

/**
 * Reads and fully decodes every file below `root`, several at a time.
 * @throws GyreError `not-found`, `permission` or `invalid-input` about the root itself, `cancelled`
 */
export async function* scanFolder(root: string, options: WorkOptions = {}): AsyncGenerator<Scanned> {
  await checkRoot(root)
  try {
    const total = await countFiles(root, options)
    const reporter = createReporter(options, 'Reading images', 'files')
    let done = 0
    const found = cancellable(walk(root), options.signal)
    const work = (entry: Found): Promise<Scanned> =>
      entry.kind === 'file' ? scanFile(root, entry.file) : Promise.resolve(entry)
    for await (const result of mapInOrder(found, 2 * parallelFiles, work)) {
      throwIfCancelled(options.signal)
      done += 1
      reporter.report(done, Math.max(done, total))
      yield result
    }
    reporter.finish(done)
  } catch (error) {
    throw describeFsError(error, root)
  }
}
