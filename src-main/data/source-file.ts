// Reads one source file into memory. Opens nothing but regular files, for reading only, and notices when a file changes
// under the reader.
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { systemWords } from './fs-errors'
import { createTurns, largeFileBytes, maxFileBytes, smallFileBytes, type Turns } from './limits'
import { headBytes, sniff, type ImageFormat } from './sniff'
import { Unusable } from './unusable'

export interface SourceFile {
  data: Buffer
  format: ImageFormat
  sizeBytes: number
  modifiedMs: number
}

/** What a file was at the time of the scan. */
export type Expected = Pick<SourceFile, 'sizeBytes' | 'modifiedMs'>

// Should a pipe take the file's place after the check, opening must not wait for its writer.
const openFlags = constants.O_RDONLY | (process.platform === 'win32' ? 0 : constants.O_NONBLOCK)
const takeTurns = createTurns()

function changed(): Unusable {
  return new Unusable(
    'changed-while-reading',
    'It changed while it was read. Import again when nothing writes to it.',
  )
}

async function fill(handle: FileHandle, buffer: Buffer, from: number): Promise<void> {
  for (let at = from; at < buffer.length;) {
    const { bytesRead } = await handle.read(buffer, at, buffer.length - at, at)
    if (bytesRead === 0) throw changed()
    at += bytesRead
  }
}

async function readAll(handle: FileHandle, path: string, sizeBytes: number): Promise<[Buffer, ImageFormat]> {
  const head = Buffer.alloc(Math.min(sizeBytes, headBytes))
  await fill(handle, head, 0)
  const format = sniff(head, path)
  if (sizeBytes > maxFileBytes) {
    throw new Unusable('too-large', `The file is larger than ${maxFileBytes / 1024 ** 2} MB.`)
  }
  const data = Buffer.allocUnsafeSlow(sizeBytes)
  head.copy(data)
  await fill(handle, data, head.length)
  return [data, format]
}

function checkIsFile(info: Stats): void {
  if (!info.isFile()) throw new Unusable('not-a-file', 'It is not a file.')
}

/** What is read must be a file, and the expected one. */
function checkOpened(info: Stats, expected: Expected | undefined): Expected {
  checkIsFile(info)
  const { size: sizeBytes, mtimeMs: modifiedMs } = info
  if (expected !== undefined && (expected.sizeBytes !== sizeBytes || expected.modifiedMs !== modifiedMs)) {
    throw new Unusable('changed-while-reading', 'It changed since the import.')
  }
  return { sizeBytes, modifiedMs }
}

function checkUnchanged(info: Stats, { sizeBytes, modifiedMs }: Expected): void {
  if (info.size !== sizeBytes || info.mtimeMs !== modifiedMs) throw changed()
}

function unreadable(error: unknown): Unusable {
  if (error instanceof Unusable) return error
  return new Unusable('unreadable', `It ${systemWords(error)}.`, { cause: error })
}

async function readOpen(
  handle: FileHandle,
  path: string,
  expected: Expected | undefined,
  turns: Turns,
): Promise<SourceFile> {
  const found = checkOpened(await handle.stat(), expected)
  const read = () => readAll(handle, path, found.sizeBytes)
  const [data, format] = await (found.sizeBytes > largeFileBytes ? turns(read) : read())
  checkUnchanged(await handle.stat(), found)
  return { data, format, ...found }
}

/**
 * The bytes of an image file and what they are by content.
 * @param expected refuses a file that is not the one of the scan any more
 * @throws Unusable with the reason
 */
export async function readSourceFile(
  path: string,
  expected?: Expected,
  turns: Turns = takeTurns,
): Promise<SourceFile> {
  let handle: FileHandle | undefined
  try {
    checkIsFile(await stat(path))
    handle = await open(path, openFlags)
    return await readOpen(handle, path, expected, turns)
  } catch (error) {
    throw unreadable(error)
  } finally {
    await handle?.close()
  }
}

/**
 * `readSourceFile` of a small file without waiting, which takes a tenth of the time. For threads that may stand still.
 * Without `expected` the path must have just been seen to be a file.
 * @returns null for a larger file
 * @throws Unusable with the reason
 */
export function readSmallFile(path: string, expected?: Expected): SourceFile | null {
  let descriptor: number | undefined
  try {
    if (expected) checkIsFile(statSync(path))
    descriptor = openSync(path, openFlags)
    const found = checkOpened(fstatSync(descriptor), expected)
    if (found.sizeBytes > smallFileBytes) return null
    const data = Buffer.allocUnsafe(found.sizeBytes)
    for (let at = 0; at < data.length;) {
      const bytesRead = readSync(descriptor, data, at, data.length - at, at)
      if (bytesRead === 0) throw changed()
      at += bytesRead
    }
    const format = sniff(data.subarray(0, headBytes), path)
    checkUnchanged(fstatSync(descriptor), found)
    return { data, format, ...found }
  } catch (error) {
    throw unreadable(error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
