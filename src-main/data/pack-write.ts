// Writes a pack: shards, the list of names and, last, pack.json, in a temporary folder that is renamed into place when it
// is whole. Nothing of the set is kept in memory.
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Transform } from '#shared/contract/common'
import { atomicWriteJson, syncFolder, temporaryPath } from './atomic'
import {
  imageBytes,
  imagesFileName,
  packFileName,
  packKey,
  packVersion,
  shardBytes,
  shardName,
  type MissingFile,
  type PackFile,
} from './pack-format'

/** Where the pack of a dataset under a transform is or will be. */
export function packFolderOf(datasetFolder: string, fingerprint: string, transform: Transform): string {
  return join(datasetFolder, 'packs', packKey(fingerprint, transform))
}

/** An image of the dataset: its position in the items, and its file. */
export type NamedImage = readonly [item: number, file: string]

export interface PackWriter {
  /** Images in the order of the items. Resolves when they are written. */
  append(images: readonly NamedImage[], pixels: Uint8Array): Promise<void>
  addMissing(file: MissingFile): void
  readonly count: number
  /** Puts the whole pack in its place; whatever was there is replaced. Returns its folder. */
  finish(fingerprint: string): Promise<string>
  /** Gives up and removes what was written; after `finish` it does nothing. */
  discard(): Promise<void>
}

async function syncAndClose(handle: FileHandle): Promise<void> {
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What is written is sent to the disk in parts of this size while others are decoded, so that little is left to wait for. */
const syncBytes = 8 * 1024 * 1024

/** Appends images to shards. A full shard is made durable while the next one is written. */
function createShards(folder: string, sizeBytes: number) {
  const imagesPerShard = Math.max(1, Math.floor(shardBytes / sizeBytes))
  let shard: FileHandle | null = null
  let syncing: Promise<void> = Promise.resolve()
  let count = 0
  let unsyncedBytes = 0
  /** Its failure is told by whoever waits for `syncing` next; until then it must not count as unhandled. */
  const follow = (work: Promise<void>): void => {
    syncing = Promise.all([syncing, work]).then(() => undefined)
    syncing.catch(() => undefined)
  }
  const close = async (): Promise<void> => {
    const closing = shard
    shard = null
    try {
      await syncing
    } catch (error) {
      await closing?.close()
      throw error
    }
    if (closing !== null) follow(syncAndClose(closing))
  }
  return {
    imagesPerShard,
    async append(pixels: Uint8Array): Promise<void> {
      for (let at = 0; at < pixels.length;) {
        const room = imagesPerShard - (count % imagesPerShard)
        if (room === imagesPerShard) {
          await close()
          shard = await open(join(folder, shardName(count / imagesPerShard)), 'wx')
        }
        const part = pixels.subarray(at, at + room * sizeBytes)
        await shard?.writeFile(part)
        unsyncedBytes += part.length
        if (shard && unsyncedBytes >= syncBytes) {
          unsyncedBytes = 0
          follow(shard.datasync())
        }
        count += part.length / sizeBytes
        at += part.length
      }
    },
    async end(): Promise<void> {
      await close()
      await syncing
    },
  }
}

/** @throws the system's error when the folder can't be made */
export async function createPackWriter(datasetFolder: string, transform: Transform): Promise<PackWriter> {
  const temporary = temporaryPath(join(datasetFolder, 'packs'))
  await mkdir(temporary, { recursive: true })
  const names = await open(join(temporary, imagesFileName), 'wx')
  const shards = createShards(temporary, imageBytes(transform))
  const missing: MissingFile[] = []
  let count = 0
  let isOpen = true
  return {
    get count() {
      return count
    },
    async append(images, pixels) {
      count += images.length
      await shards.append(pixels)
      await names.writeFile(images.map((image) => `${JSON.stringify(image)}\n`).join(''))
    },
    addMissing: (file) => void missing.push(file),
    async finish(fingerprint) {
      await shards.end()
      await syncAndClose(names)
      const key = packKey(fingerprint, transform)
      const { imagesPerShard } = shards
      const pack: PackFile = { packVersion, key, fingerprint, transform, count, imagesPerShard, missing }
      await atomicWriteJson(join(temporary, packFileName), pack)
      const folder = packFolderOf(datasetFolder, fingerprint, transform)
      await rm(folder, { recursive: true, force: true })
      await rename(temporary, folder)
      isOpen = false
      await syncFolder(dirname(folder))
      return folder
    },
    async discard() {
      if (!isOpen) return
      isOpen = false
      await shards.end().catch(() => undefined)
      await names.close().catch(() => undefined)
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    },
  }
}
