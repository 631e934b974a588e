// What a pack is on disk: `pack.json` (written last), `images.jsonl` (one `[item, file]` a line) and shards of
// uint8 pixels, image after image, rows from the top, channels together. Shard names come from their number.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { transform, type Transform } from '#shared/contract/common'

/** Goes up whenever the same file gives other pixels. 2: large JPEGs are scaled down while they are decoded. */
export const packVersion = 2
export const packFileName = 'pack.json'
export const imagesFileName = 'images.jsonl'

/** Small enough to copy and to sync in one go, large enough that a million images are a few hundred files. */
export const shardBytes = 64 * 1024 * 1024

export const packFile = z.object({
  packVersion: z.literal(packVersion),
  key: z.string(),
  /** Of the dataset's used files at the time of the scan. */
  fingerprint: z.string(),
  transform,
  count: z.int().min(0),
  imagesPerShard: z.int().min(1),
  /** Files of the dataset that could not be packed: gone, or changed since the scan. */
  missing: z.array(z.object({ item: z.int().min(0), file: z.string(), detail: z.string() })),
})
export type PackFile = z.infer<typeof packFile>
export type MissingFile = PackFile['missing'][number]

export const packedImage = z.tuple([z.int().min(0), z.string()])

/** Bytes of one image: size × size × channels. */
export function imageBytes(of: Transform): number {
  return of.imageSize * of.imageSize * of.channelsIn
}

export function shardName(shard: number): string {
  return `shard-${String(shard).padStart(5, '0')}.bin`
}

/** Bytes that shard number `shard` must have. */
export function expectedShardBytes(pack: PackFile, shard: number): number {
  const images = Math.min(pack.imagesPerShard, pack.count - shard * pack.imagesPerShard)
  return images * imageBytes(pack.transform)
}

export function shardCount(pack: PackFile): number {
  return Math.ceil(pack.count / pack.imagesPerShard)
}

/** Folder name of the pack of a dataset state under a transform. */
export function packKey(fingerprint: string, of: Transform): string {
  const parts = [
    packVersion,
    fingerprint,
    of.imageSize,
    of.resize,
    of.background.toLowerCase(),
    of.channelsIn,
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24)
}
