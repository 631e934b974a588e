// Reads and writes safetensors files: 8 bytes of header length, a JSON header, then the tensors back to back.
// A file may come from anybody, so nothing in its header is believed before it is checked against the file.
// Little-endian machines only, like everything that Node runs on here. Knows nothing of models or runs.
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import { syncFolder, temporaryPath } from '#main/data/atomic'
import { layoutHeader, parseHeader, type TensorInfo } from './safetensors-header'

export type { TensorInfo } from './safetensors-header'

export type TensorData = Float32Array | Int32Array | Uint8Array

export interface NamedTensor {
  name: string
  dtype: 'F32' | 'I32' | 'U8'
  shape: readonly number[]
  data: TensorData
}

export interface TensorSpec {
  name: string
  dtype: 'F32' | 'I32' | 'U8'
  shape: readonly number[]
}

/** Bytes per read or write call; keeps any one system call short. */
const blockBytes = 64 * 1024 * 1024

function asBytes(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

function corrupt(message: string): GyreError {
  return new GyreError('corrupt', message, 'The file is damaged or is not a safetensors file.')
}

function allocate(info: TensorInfo): NamedTensor {
  const { name, shape, sizeBytes, dtype } = info
  const buffer = new ArrayBuffer(sizeBytes)
  if (dtype === 'F32') return { name, dtype, shape, data: new Float32Array(buffer) }
  if (dtype === 'I32') return { name, dtype, shape, data: new Int32Array(buffer) }
  if (dtype === 'U8') return { name, dtype, shape, data: new Uint8Array(buffer) }
  throw new GyreError(
    'unsupported',
    `The tensor “${name}” has the number format ${dtype}, which Gyre does not read.`,
  )
}

/** Where bytes come from: a file by position, or memory. */
interface Source {
  sizeBytes: number
  read(target: Uint8Array, position: number): Promise<void>
  close(): Promise<void>
}

function memorySource(bytes: Uint8Array): Source {
  return {
    sizeBytes: bytes.length,
    read: (target, position) => {
      target.set(bytes.subarray(position, position + target.length))
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }
}

async function fileSource(path: string): Promise<Source> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw new GyreError('unreadable', `“${basename(path)}” cannot be opened.`, undefined, { cause: error })
  })
  const { size } = await handle.stat()
  return {
    sizeBytes: size,
    read: async (target, position) => {
      let done = 0
      while (done < target.length) {
        const length = Math.min(blockBytes, target.length - done)
        const { bytesRead } = await handle.read(target, done, length, position + done)
        if (bytesRead === 0) throw corrupt(`“${basename(path)}” ends too early.`)
        done += bytesRead
      }
    },
    close: () => handle.close(),
  }
}

export interface SafetensorsReader {
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** One tensor; throws `not-found` or `unsupported` (another number format than F32, I32, U8). */
  read(name: string): Promise<NamedTensor>
  close(): Promise<void>
}

/**
 * Opens a file (or bytes in memory) and checks its whole header: nothing is read of the tensors yet.
 * Throws `corrupt` when the header lies about the file in any way.
 */
export async function openSafetensors(from: string | Uint8Array): Promise<SafetensorsReader> {
  const source = typeof from === 'string' ? await fileSource(from) : memorySource(from)
  try {
    const { metadata, tensors } = await parseHeader(source.sizeBytes, (target, position) =>
      source.read(target, position),
    )
    const read = async (name: string): Promise<NamedTensor> => {
      const info = tensors.get(name)
      if (!info) throw new GyreError('not-found', `The file holds no tensor “${name}”.`)
      const tensor = allocate(info)
      await source.read(asBytes(tensor.data), info.offset)
      return tensor
    }
    return { metadata, tensors, read, close: () => source.close() }
  } catch (error) {
    await source.close()
    throw error
  }
}

/** Reads all tensors, or only the named ones. Throws as `openSafetensors` and its `read` do. */
export async function readSafetensors(
  from: string | Uint8Array,
  names?: readonly string[],
): Promise<{ metadata: ReadonlyMap<string, string>; tensors: Map<string, NamedTensor> }> {
  const reader = await openSafetensors(from)
  try {
    const tensors = new Map<string, NamedTensor>()
    for (const name of names ?? reader.tensors.keys()) tensors.set(name, await reader.read(name))
    return { metadata: reader.metadata, tensors }
  } finally {
    await reader.close()
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const length = Math.min(blockBytes, bytes.length - done)
    done += (await handle.write(bytes, done, length, position + done)).bytesWritten
  }
}

export interface SafetensorsWriter {
  /** Appends to one tensor; tensors may be filled in any order and in pieces. */
  append(name: string, data: TensorData): Promise<void>
  /** Throws `internal` when a tensor is not full yet; else the file appears under its name, whole and on disk. */
  finish(): Promise<void>
  /** Leaves nothing behind. Safe to call after `finish`. */
  abort(): Promise<void>
}

/** Starts a file of known shapes whose data comes in pieces. It is invisible at `path` until `finish`. */
export async function createSafetensorsWriter(
  path: string,
  specs: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<SafetensorsWriter> {
  const { header, tensors } = layoutHeader(specs, metadata)
  const filled = new Map<string, number>()
  const temporary = temporaryPath(dirname(path))
  const handle = await open(temporary, 'wx')
  let state: 'open' | 'closed' | 'done' = 'open'
  const abort = async (): Promise<void> => {
    if (state === 'done') return
    if (state === 'open') await handle.close()
    state = 'done'
    await rm(temporary, { force: true })
  }
  try {
    await writeAll(handle, header, 0)
  } catch (error) {
    await abort()
    throw error
  }
  return {
    append: async (name, data) => {
      const info = tensors.get(name)
      if (!info) throw new GyreError('internal', `The tensor “${name}” was not announced.`)
      const before = filled.get(name) ?? 0
      if (before + data.byteLength > info.sizeBytes)
        throw new GyreError('internal', `The tensor “${name}” got more data than its shape holds.`)
      filled.set(name, before + data.byteLength)
      await writeAll(handle, asBytes(data), info.offset + before)
    },
    finish: async () => {
      for (const { name, sizeBytes } of tensors.values())
        if ((filled.get(name) ?? 0) !== sizeBytes)
          throw new GyreError('internal', `The tensor “${name}” got less data than its shape holds.`)
      await handle.sync()
      await handle.close()
      state = 'closed'
      await rename(temporary, path)
      state = 'done'
      await syncFolder(dirname(path))
    },
    abort,
  }
}

/** Writes a whole file atomically: after any crash `path` holds the old file or the new one. */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const writer = await createSafetensorsWriter(path, tensors, metadata)
  try {
    for (const { name, data } of tensors) await writer.append(name, data)
    await writer.finish()
  } finally {
    await writer.abort()
  }
}
