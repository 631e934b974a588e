// Reads one source file into memory. Opens nothing but regular files, for reading only, and notices when a file changes
// under the reader.
import { constants } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { systemWords } from './fs-errors'
import { createTurns, largeFileBytes, maxFileBytes } from './limits'
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

async function readOpen(handle: FileHandle, path: string, expected?: Expected): Promise<SourceFile> {
  const before = await handle.stat()
  if (!before.isFile()) throw new Unusable('not-a-file', 'It is not a file.')
  const { size: sizeBytes, mtimeMs: modifiedMs } = before
  if (expected !== undefined && (expected.sizeBytes !== sizeBytes || expected.modifiedMs !== modifiedMs)) {
    throw new Unusable('changed-while-reading', 'It changed since the import.')
  }
  const read = () => readAll(handle, path, sizeBytes)
  const [data, format] = await (sizeBytes > largeFileBytes ? takeTurns(read) : read())
  const after = await handle.stat()
  if (after.size !== sizeBytes || after.mtimeMs !== modifiedMs) throw changed()
  return { data, format, sizeBytes, modifiedMs }
}

/**
 * The bytes of an image file and what they are by content.
 * @param expected refuses a file that is not the one of the scan any more
 * @throws Unusable with the reason
 */
export async function readSourceFile(path: string, expected?: Expected): Promise<SourceFile> {
  let handle: FileHandle | undefined
  try {
    if (!(await stat(path)).isFile()) throw new Unusable('not-a-file', 'It is not a file.')
    handle = await open(path, openFlags)
    return await readOpen(handle, path, expected)
  } catch (error) {
    if (error instanceof Unusable) throw error
    throw new Unusable('unreadable', `It ${systemWords(error)}.`, { cause: error })
  } finally {
    await handle?.close()
  }
}
