// Long lists on disk: one JSON value a line, with an index of where every 256th line begins, so that a page of a
// million lines is two small reads. Written beside and renamed, like every file.
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import { atomicWriteFile, temporaryPath } from './atomic'
import { describeFsError } from './fs-errors'

const linesPerMark = 256
const flushBytes = 1024 * 1024

/** Index file of a list: float64 little-endian byte offsets of lines 0, 256, 512, … and at the end the number of lines. */
export function indexPath(path: string): string {
  return `${path}.index`
}

export interface LineWriter {
  readonly count: number
  append(value: unknown): Promise<void>
  /** Makes the list and its index appear under their names. */
  finish(): Promise<void>
  /** Gives up and removes what was written; after `finish` it does nothing. */
  discard(): Promise<void>
}

export async function createLineWriter(path: string): Promise<LineWriter> {
  const temporary = temporaryPath(dirname(path))
  const handle = await open(temporary, 'wx').catch((error: unknown) => {
    throw describeFsError(error, path)
  })
  const marks: number[] = []
  let pending: string[] = []
  let pendingBytes = 0
  let writtenBytes = 0
  let count = 0
  let open_ = true

  const flush = async (): Promise<void> => {
    const text = pending.join('')
    pending = []
    pendingBytes = 0
    try {
      await handle.writeFile(text)
    } catch (error) {
      throw describeFsError(error, path)
    }
  }
  return {
    get count() {
      return count
    },
    async append(value) {
      const line = `${JSON.stringify(value)}\n`
      if (count % linesPerMark === 0) marks.push(writtenBytes)
      const bytes = Buffer.byteLength(line)
      pending.push(line)
      pendingBytes += bytes
      writtenBytes += bytes
      count += 1
      if (pendingBytes >= flushBytes) await flush()
    },
    async finish() {
      await flush()
      await handle.sync()
      await handle.close()
      open_ = false
      const index = new Float64Array([...marks, count])
      await atomicWriteFile(indexPath(path), new Uint8Array(index.buffer))
      await rename(temporary, path)
    },
    async discard() {
      if (!open_) return
      open_ = false
      await handle.close().catch(() => undefined)
      await rm(temporary, { force: true }).catch(() => undefined)
    },
  }
}

async function readRange(handle: FileHandle, from: number, to: number): Promise<string> {
  const buffer = Buffer.alloc(to - from)
  let at = 0
  while (at < buffer.length) {
    const { bytesRead } = await handle.read(buffer, at, buffer.length - at, from + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return buffer.toString('utf8', 0, at)
}

async function readMarks(path: string): Promise<{ marks: Float64Array; count: number }> {
  const bytes = await readFile(indexPath(path))
  const values = new Float64Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 8))
  const count = values.at(-1)
  if (count === undefined || Math.ceil(count / linesPerMark) !== values.length - 1) {
    throw new GyreError('corrupt', `${indexPath(path)} is damaged.`, 'Import the folder again.')
  }
  return { marks: values.subarray(0, -1), count }
}

/** Lines `offset` to `offset + limit` (fewer at the end), parsed by `parse`, and how many there are in all. */
export async function readLines<T>(
  path: string,
  offset: number,
  limit: number,
  parse: (value: unknown) => T,
): Promise<{ total: number; values: T[] }> {
  try {
    const { marks, count } = await readMarks(path)
    const end = Math.min(count, offset + limit)
    if (offset >= end) return { total: count, values: [] }
    const firstMark = Math.floor(offset / linesPerMark)
    const handle = await open(path, 'r')
    try {
      const from = marks[firstMark] ?? 0
      const to = marks[Math.ceil(end / linesPerMark)] ?? (await handle.stat()).size
      const lines = (await readRange(handle, from, to)).split('\n')
      const first = offset - firstMark * linesPerMark
      const values = lines.slice(first, first + end - offset).map((line) => parse(JSON.parse(line)))
      return { total: count, values }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new GyreError('corrupt', `${path} is damaged.`, 'Import the folder again.', { cause: error })
    }
    throw describeFsError(error, path)
  }
}
