// A pack of noise, for measurements: as many images as wanted without any file to decode.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Transform } from '#shared/contract/common'
import {
  expectedShardBytes,
  imageBytes,
  imagesFileName,
  packFileName,
  packVersion,
  shardBytes,
  shardCount,
  shardName,
  type PackFile,
} from './pack-format'

/** Bytes by a xorshift generator: the same every time. */
function noise(sizeBytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4))
  let state = 0x9e3779b9
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, sizeBytes)
}

/** Writes `count` images into the new folder `folder`; every full shard holds the same ones. */
export async function writeNoisePack(folder: string, count: number, transform: Transform): Promise<string> {
  const imagesPerShard = Math.max(1, Math.floor(shardBytes / imageBytes(transform)))
  const pack: PackFile = {
    packVersion,
    key: 'noise',
    fingerprint: 'noise',
    transform,
    count,
    imagesPerShard,
    missing: [],
  }
  await mkdir(folder, { recursive: true })
  const pixels = noise(Math.min(count, imagesPerShard) * imageBytes(transform))
  for (let shard = 0; shard < shardCount(pack); shard++)
    await writeFile(join(folder, shardName(shard)), pixels.subarray(0, expectedShardBytes(pack, shard)))
  const names = Array.from({ length: count }, (_, i) => JSON.stringify([i, `noise-${i}.png`]))
  await writeFile(join(folder, imagesFileName), `${names.join('\n')}\n`)
  await writeFile(join(folder, packFileName), JSON.stringify(pack))
  return folder
}
