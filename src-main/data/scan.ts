// Scan of a source folder: every file becomes an item or a named reason, in a fixed order, streamed. Reads only.
import { stat } from 'node:fs/promises'
import { GyreError } from '#shared/contract/errors'
import type { Transform } from '#shared/contract/common'
import type { DatasetItem, SkippedFile } from '#shared/contract/files'
import { inThisThread, type Decoders } from './decoders'
import { describeFsError } from './fs-errors'
import { createReporter, noticeCrash, throwIfCancelled, type WorkOptions } from './progress'
import { readAhead, type Listed } from './read-ahead'
import type { ReadFile } from './read-files'
import { walk, type Found } from './walk'

export type Scanned = { kind: 'item'; item: DatasetItem } | { kind: 'skipped'; skipped: SkippedFile }

export interface ScannedPart {
  results: Scanned[]
  /** [items, size, size, channels] bytes of the part's items; overwritten once the next part is asked for. */
  pixels: Uint8Array
}

export interface ScanOptions extends WorkOptions {
  decoders?: Decoders
}

export interface Scan {
  /** Files and other entries that there are. */
  readonly total: number
  /**
   * Reads and fully decodes every file. Consumed once.
   * @param transform the one under which pixels are wanted
   * @throws GyreError about the root, or `cancelled`
   */
  parts(transform?: Transform): AsyncGenerator<ScannedPart>
}

/** So many entries are kept from counting; of more, the folders are listed a second time. */
const mostKept = 50_000
/** To know that a file is whole, any will do. */
const anyTransform: Transform = { imageSize: 64, resize: 'crop', background: '#ffffff', channelsIn: 3 }

/** First folder of a relative path, or an empty string. */
export function labelOf(file: string): string {
  const end = file.indexOf('/')
  return end < 0 ? '' : file.slice(0, end)
}

async function checkRoot(root: string): Promise<void> {
  const info = await stat(root).catch((error: unknown) => {
    throw describeFsError(error, root)
  })
  if (!info.isDirectory())
    throw new GyreError('invalid-input', `${root} is not a folder.`, 'Choose a folder of images.')
}

/** Listing is quick beside decoding, and with the number of files the bar is honest. */
async function countFiles(
  root: string,
  options: WorkOptions,
): Promise<{ total: number; kept: Found[][] | null }> {
  const reporter = createReporter(options, 'Looking for files', 'files')
  let kept: Found[][] | null = []
  let total = 0
  for await (const part of walk(root)) {
    throwIfCancelled(options.signal)
    total += part.length
    if (total > mostKept) kept = null
    kept?.push(part)
    reporter.report(total, 0)
  }
  return { total, kept }
}

interface ToRead extends Listed {
  found: Found
}

async function* listed(
  parts: AsyncIterable<Found[]> | Iterable<Found[]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ToRead[]> {
  for await (const part of parts) {
    throwIfCancelled(signal)
    yield part.map((found) => ({ file: found.kind === 'file' ? found.file : null, found }))
  }
}

function scannedFile(file: string, read: ReadFile): Scanned {
  if (read.kind === 'unusable') {
    const { reason, detail } = read
    return { kind: 'skipped', skipped: { file, reason, detail } }
  }
  const { sizeBytes, modifiedMs, width, height, format, mode, hasAlpha } = read
  const facts = { sizeBytes, modifiedMs, width, height, format, mode, hasAlpha }
  return { kind: 'item', item: { file, ...facts, label: labelOf(file) } }
}

/**
 * Looks how much there is below `root`.
 * @throws GyreError `not-found`, `permission` or `invalid-input` about the root itself, `cancelled`
 */
export async function openScan(root: string, options: ScanOptions = {}): Promise<Scan> {
  const { signal, decoders = inThisThread } = options
  await checkRoot(root)
  const { total, kept } = await countFiles(root, options).catch((error: unknown) => {
    throw describeFsError(error, root)
  })
  return {
    total,
    async *parts(transform = anyTransform) {
      const reporter = createReporter(options, 'Reading images', 'files')
      const settings = { root, transform }
      let done = 0
      try {
        const list = listed(kept ?? walk(root), signal)
        for await (const { entries, files, pixels, crash } of readAhead(list, decoders, settings)) {
          throwIfCancelled(signal)
          noticeCrash(options, crash)
          const reads = files.values()
          const results = entries.map(({ file, found }): Scanned => {
            if (found.kind === 'skipped') return found
            const read = reads.next().value
            if (file === null || read === undefined)
              throw new GyreError('internal', 'A decoder answered for too few files.')
            return scannedFile(file, read)
          })
          done += entries.length
          reporter.report(done, Math.max(done, total))
          yield { results, pixels }
        }
        reporter.finish(done)
      } catch (error) {
        throw describeFsError(error, root)
      }
    },
  }
}
