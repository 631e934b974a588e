// Reads images of a pack by position, so that sets larger than memory can be trained on: no shard is ever read
// whole. The only thing kept in memory is the list of names.
import { closeSync, fstatSync, openSync, read, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import type { Transform } from '#shared/contract/common'
import { describeFsError, systemCode } from './fs-errors'
import {
  expectedShardBytes,
  imageBytes,
  imagesFileName,
  packFile,
  packFileName,
  packedImage,
  shardCount,
  shardName,
  type MissingFile,
} from './pack-format'

export interface PackInfo {
  imageSize: number
  channels: number
  count: number
  fingerprint: string
  transform: Transform
  missing: MissingFile[]
}

/** The images of a pack, without their names. */
export interface PixelReader {
  readonly info: PackInfo
  /** Reads the images into `out`, one after the other; `out` holds at least `indices.length` images. */
  read(indices: ArrayLike<number>, out: Uint8Array): void
  /** The same off the calling thread. */
  readAsync(indices: ArrayLike<number>, out: Uint8Array): Promise<void>
  /** Closes the files once reads under way have ended. */
  close(): void
}

export interface PackReader extends PixelReader {
  /** Path of image `i` relative to the source folder. */
  file(i: number): string
  /** Position of image `i` in the dataset's items. */
  item(i: number): number
  /** All paths in order, for `splitIndices`. */
  files(): string[]
}

function corrupt(folder: string, what: string, cause?: unknown): GyreError {
  return new GyreError(
    'corrupt',
    `The prepared images in ${folder} are not whole: ${what}.`,
    'Start again: they are prepared anew from the source images.',
    { cause },
  )
}

function readPackFile(folder: string) {
  try {
    return packFile.parse(JSON.parse(readFileSync(join(folder, packFileName), 'utf8')))
  } catch (error) {
    if (systemCode(error) !== '') throw describeFsError(error, join(folder, packFileName))
    throw corrupt(folder, 'pack.json can not be understood', error)
  }
}

function readNames(folder: string, count: number): { files: string[]; items: Int32Array } {
  const files: string[] = []
  const items = new Int32Array(count)
  try {
    const text = readFileSync(join(folder, imagesFileName), 'utf8')
    for (const line of text.split('\n')) {
      if (line === '') continue
      const [item, file] = packedImage.parse(JSON.parse(line))
      if (files.length < count) items[files.length] = item
      files.push(file)
    }
  } catch (error) {
    throw corrupt(folder, `${imagesFileName} can not be read`, error)
  }
  if (files.length !== count)
    throw corrupt(folder, `${imagesFileName} names ${files.length} of ${count} images`)
  return { files, items }
}

function openShards(folder: string, expected: number[]): number[] {
  const opened: number[] = []
  try {
    for (const [shard, sizeBytes] of expected.entries()) {
      const descriptor = openSync(join(folder, shardName(shard)), 'r')
      opened.push(descriptor)
      const info = fstatSync(descriptor)
      if (!info.isFile() || info.size !== sizeBytes)
        throw corrupt(folder, `${shardName(shard)} has a wrong size`)
    }
    return opened
  } catch (error) {
    opened.forEach((descriptor) => closeSync(descriptor))
    throw error instanceof GyreError ? error : corrupt(folder, 'a shard can not be opened', error)
  }
}

/**
 * Opens a pack's images alone: their names would fill memory once more in a thread that needs none.
 * @throws GyreError `not-found` without pack.json, `corrupt` when anything does not fit together
 */
export function openPixels(folder: string): PixelReader {
  const pack = readPackFile(folder)
  const shards = openShards(
    folder,
    Array.from({ length: shardCount(pack) }, (_, shard) => expectedShardBytes(pack, shard)),
  )
  const size = imageBytes(pack.transform)
  let reading = 0
  let closed = false

  const closeIfIdle = (): void => {
    if (!closed || reading > 0) return
    for (const descriptor of shards.splice(0)) closeSync(descriptor)
  }
  const place = (i: number): { descriptor: number; position: number } => {
    if (closed) throw new GyreError('internal', 'These prepared images were closed.')
    const descriptor = Number.isInteger(i) ? shards[Math.floor(i / pack.imagesPerShard)] : undefined
    if (descriptor === undefined || i < 0 || i >= pack.count) {
      throw new GyreError('invalid-input', `There is no image ${i}; the pack has ${pack.count}.`)
    }
    return { descriptor, position: (i % pack.imagesPerShard) * size }
  }
  const checkRoom = (count: number, out: Uint8Array): void => {
    if (out.length < count * size)
      throw new GyreError('internal', `${count} images need ${count * size} bytes.`)
  }
  const readOne = (i: number, out: Uint8Array, offset: number): Promise<void> =>
    new Promise((done, fail) => {
      const { descriptor, position } = place(i)
      const step = (got: number): void => {
        read(descriptor, out, offset + got, size - got, position + got, (error, bytes) => {
          if (error !== null) fail(corrupt(folder, `image ${i} can not be read`, error))
          else if (got + bytes === size) done()
          else if (bytes === 0) fail(corrupt(folder, `image ${i} is cut off`))
          else step(got + bytes)
        })
      }
      step(0)
    })

  return {
    info: {
      imageSize: pack.transform.imageSize,
      channels: pack.transform.channelsIn,
      count: pack.count,
      fingerprint: pack.fingerprint,
      transform: pack.transform,
      missing: pack.missing,
    },
    read(indices, out) {
      checkRoom(indices.length, out)
      for (let n = 0; n < indices.length; n++) {
        const i = indices[n] ?? -1
        const { descriptor, position } = place(i)
        let got = 0
        while (got < size) {
          const bytes = readSync(descriptor, out, n * size + got, size - got, position + got)
          if (bytes === 0) throw corrupt(folder, `image ${i} is cut off`)
          got += bytes
        }
      }
    },
    async readAsync(indices, out) {
      checkRoom(indices.length, out)
      reading += 1
      try {
        // All are settled before the buffer may be given away or the files closed.
        const reads = Array.from(indices, (i, n) => readOne(i, out, n * size))
        const failed = (await Promise.allSettled(reads)).find((result) => result.status === 'rejected')
        if (failed !== undefined) throw failed.reason
      } finally {
        reading -= 1
        closeIfIdle()
      }
    },
    close() {
      closed = true
      closeIfIdle()
    },
  }
}

/**
 * Opens a pack made by `packDataset` and checks names, counts and sizes.
 * @throws GyreError `not-found` without pack.json, `corrupt` when anything does not fit together
 */
export function openPack(folder: string): PackReader {
  const pixels = openPixels(folder)
  const { count } = pixels.info
  const name = <T>(value: T | undefined, i: number): T => {
    if (value === undefined)
      throw new GyreError('invalid-input', `There is no image ${i}; the pack has ${count}.`)
    return value
  }
  try {
    const { files, items } = readNames(folder, count)
    return {
      ...pixels,
      file: (i) => name(files[i], i),
      item: (i) => name(items[i], i),
      files: () => [...files],
    }
  } catch (error) {
    pixels.close()
    throw error
  }
}
