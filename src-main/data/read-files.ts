// Reads and decodes a list of files: what a decoder thread does with one request. Everything that can be wrong with a
// file is part of the answer. Small plain PNGs are done without waiting; the rest waits for the image library.
import { join } from 'node:path'
import type { Transform } from '#shared/contract/common'
import type { ImageFacts } from './decode'
import { filesPerThread, type Turns } from './limits'
import { imageBytes } from './pack-format'
import { joinInside } from './paths'
import { quickPng } from './quick-png'
import { readSmallFile, readSourceFile, type Expected, type SourceFile } from './source-file'
import { Unusable, type SkipReason } from './unusable'

export interface ReadRequest {
  root: string
  /** Paths relative to `root`, with `/`. */
  files: readonly string[]
  /** What each was at the time of the scan; another is refused. */
  expected?: readonly Expected[]
  transform: Transform
  /** Where the pixels go: room for [files, size, size, channels] bytes. Shared, so that nothing is copied or sent. */
  into: SharedArrayBuffer
}

export type ReadFile =
  ({ kind: 'image' } & Expected & ImageFacts) | { kind: 'unusable'; reason: SkipReason; detail: string }

export interface ReadResult {
  /** One for each file asked for, in that order. Pixels of those that are images follow each other in `into`. */
  files: ReadFile[]
  durationMs: number
  /** Why a decoder ended on the way, where one did. */
  crash?: string
}

/** The image library takes its time to load; a folder of small PNGs never needs it. */
const importLibrary = () => import('./decode')
let library: ReturnType<typeof importLibrary> | null = null
const loadLibrary = () => (library ??= importLibrary())

function unusable(error: unknown): ReadFile {
  if (!(error instanceof Unusable)) throw error
  return { kind: 'unusable', reason: error.reason, detail: error.detail }
}

/**
 * Reads every file of a request.
 * @param turns for large files and images, so that only one is in memory at a time
 */
export async function readFiles(request: ReadRequest, turns: Turns): Promise<ReadResult> {
  const { root, files, expected, transform, into } = request
  const startedMs = performance.now()
  const sizeBytes = imageBytes(transform)
  const found: ReadFile[] = []
  const pixels = new Uint8Array(into, 0, files.length * sizeBytes)
  const underWay = new Set<Promise<void>>()

  const placeOf = (i: number): Uint8Array => pixels.subarray(i * sizeBytes, (i + 1) * sizeBytes)
  const readSlowly = async (i: number, path: string, small: SourceFile | null): Promise<void> => {
    try {
      const source = small ?? (await readSourceFile(path, expected?.[i], turns))
      const { readImage } = await loadLibrary()
      const image = await readImage(source.data, source.format, transform, turns)
      placeOf(i).set(image.pixels)
      found[i] = imageOf(source, image.facts)
    } catch (error) {
      found[i] = unusable(error)
    }
  }
  for (const [i, file] of files.entries()) {
    try {
      // A list from a file may have been tampered with; what a scan has just found can't have been.
      const path = expected ? joinInside(root, file) : join(root, file)
      const small = readSmallFile(path, expected?.[i])
      const facts = small?.format === 'png' ? quickPng(small.data, transform, placeOf(i)) : null
      if (small && facts) {
        found[i] = imageOf(small, facts)
        continue
      }
      const slow = readSlowly(i, path, small).finally(() => underWay.delete(slow))
      slow.catch(() => undefined)
      underWay.add(slow)
      if (underWay.size >= filesPerThread) await Promise.race(underWay)
    } catch (error) {
      found[i] = unusable(error)
    }
  }
  await Promise.all(underWay)
  closeGaps(pixels, found, sizeBytes)
  return { files: found, durationMs: performance.now() - startedMs }
}

function imageOf({ sizeBytes, modifiedMs }: SourceFile, facts: ImageFacts): ReadFile {
  return { kind: 'image', sizeBytes, modifiedMs, ...facts }
}

/** Moves the pixels of the images together. */
function closeGaps(pixels: Uint8Array, files: readonly ReadFile[], sizeBytes: number): void {
  let count = 0
  for (const [i, { kind }] of files.entries()) {
    if (kind !== 'image') continue
    if (count < i) pixels.copyWithin(count * sizeBytes, i * sizeBytes, (i + 1) * sizeBytes)
    count += 1
  }
}
