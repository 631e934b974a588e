// Cuts a list of files into requests for the decoders and hands the answers back in the list's order. Requests are small
// enough for a smooth bar and large enough not to count; what is in memory is bounded whatever the files are.
import type { Decoders } from './decoders'
import { imageBytes } from './pack-format'
import type { ReadFile, ReadRequest } from './read-files'
import type { Expected } from './source-file'

/** A request should take about this long: much more than a message, much less than the whole. */
const targetMs = 10
const mostFiles = 256
const mostPixelBytes = 4 * 1024 * 1024

export interface Listed {
  /** Relative path, or null for an entry that is not to be read and only keeps its place. */
  file: string | null
  expected?: Expected
}

export interface Answer<T extends Listed> {
  entries: T[]
  /** Of the entries with a file, in order. */
  files: ReadFile[]
  /** Why a decoder ended on the way, where one did; nothing is lost by it. */
  crash?: string | undefined
  /** [images, size, size, channels] bytes; overwritten once the next answer is asked for. */
  pixels: Uint8Array
}

export type ReadSettings = Pick<ReadRequest, 'root' | 'transform'>

/**
 * Reads every listed file, in order. When the reader stops or anything throws, what was begun is waited for first.
 */
export async function* readAhead<T extends Listed>(
  list: AsyncIterable<T[]>,
  decoders: Decoders,
  settings: ReadSettings,
): AsyncGenerator<Answer<T>> {
  const sizeBytes = imageBytes(settings.transform)
  const largest = Math.max(1, Math.min(mostFiles, Math.floor(mostPixelBytes / sizeBytes)))
  const mostUnderWay = decoders.parallel + 2
  const underWay: Promise<Answer<T>>[] = []
  const free: SharedArrayBuffer[] = []
  let msPerFile = 1
  let gathered: T[] = []

  const send = async (entries: T[]): Promise<Answer<T>> => {
    const files: string[] = []
    const expected: Expected[] = []
    for (const entry of entries) {
      if (entry.file === null) continue
      files.push(entry.file)
      if (entry.expected) expected.push(entry.expected)
    }
    if (files.length === 0) return { entries, files: [], pixels: new Uint8Array() }
    const into = free.pop() ?? new SharedArrayBuffer(largest * sizeBytes)
    const request = { ...settings, into, files, ...(expected.length > 0 && { expected }) }
    const result = await decoders.read(request)
    msPerFile = (msPerFile + result.durationMs / files.length) / 2
    const images = result.files.filter(({ kind }) => kind === 'image').length
    const { crash } = result
    return { entries, files: result.files, crash, pixels: new Uint8Array(into, 0, images * sizeBytes) }
  }
  /** Hands over the oldest answer; when the reader comes back, its memory is used again. */
  const handOver = async function* (answer: Promise<Answer<T>>): AsyncGenerator<Answer<T>> {
    const { pixels, ...rest } = await answer
    yield { pixels, ...rest }
    if (pixels.buffer instanceof SharedArrayBuffer) free.push(pixels.buffer)
  }
  const begin = (entries: T[]): void => {
    const answer = send(entries)
    answer.catch(() => undefined)
    underWay.push(answer)
  }
  const size = (): number => Math.max(1, Math.min(largest, Math.round(targetMs / msPerFile)))

  try {
    for await (const part of list) {
      gathered = gathered.length > 0 ? gathered.concat(part) : part
      let from = 0
      for (let count = size(); gathered.length - from >= count; count = size()) {
        begin(gathered.slice(from, from + count))
        from += count
        const first = underWay.length >= mostUnderWay ? underWay.shift() : undefined
        if (first !== undefined) yield* handOver(first)
      }
      gathered = gathered.slice(from)
    }
    if (gathered.length > 0) begin(gathered)
    for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) yield* handOver(first)
  } finally {
    await Promise.allSettled(underWay)
  }
}
