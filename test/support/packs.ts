// Packs written byte by byte after the format's description, so that readers are tested without the writer.
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Transform } from '../../src-shared/contract/common'
import { shardName, type PackFile } from '../../src-main/data/pack-format'

export interface PackContents {
  count: number
  imageSize: number
  channelsIn: 1 | 3
  imagesPerShard: number
  /** Byte number `at` of image `image`. */
  value: (image: number, at: number) => number
}

export const transformOf = (contents: Pick<PackContents, 'imageSize' | 'channelsIn'>): Transform => ({
  imageSize: contents.imageSize,
  resize: 'crop',
  background: '#ffffff',
  channelsIn: contents.channelsIn,
})

/** Writes `folder` as a pack whose image `i` is called `image-<i>.png` and is item `2 i` of its dataset. */
export async function writePack(folder: string, contents: PackContents): Promise<string> {
  const { count, imageSize, channelsIn, imagesPerShard, value } = contents
  const imageBytes = imageSize * imageSize * channelsIn
  await mkdir(folder, { recursive: true })
  for (let first = 0; first < count; first += imagesPerShard) {
    const images = Math.min(imagesPerShard, count - first)
    const bytes = Uint8Array.from({ length: images * imageBytes }, (_, i) =>
      value(first + Math.floor(i / imageBytes), i % imageBytes),
    )
    await writeFile(join(folder, shardName(first / imagesPerShard)), bytes)
  }
  await writeLists(folder, contents)
  return folder
}

/** A pack of one huge shard that is a hole in the disk but for its last image. */
export async function writeSparsePack(
  folder: string,
  contents: Omit<PackContents, 'imagesPerShard'>,
): Promise<void> {
  const { count, imageSize, channelsIn, value } = contents
  const imageBytes = imageSize * imageSize * channelsIn
  await mkdir(folder, { recursive: true })
  const shard = await open(join(folder, shardName(0)), 'wx')
  const last = Uint8Array.from({ length: imageBytes }, (_, at) => value(count - 1, at))
  await shard.write(last, 0, imageBytes, (count - 1) * imageBytes)
  await shard.close()
  await writeLists(folder, { ...contents, imagesPerShard: count })
}

async function writeLists(folder: string, contents: PackContents): Promise<void> {
  const names = Array.from({ length: contents.count }, (_, i) => JSON.stringify([2 * i, `image-${i}.png`]))
  await writeFile(join(folder, 'images.jsonl'), `${names.join('\n')}\n`)
  const pack: PackFile = {
    packVersion: 2,
    key: 'test',
    fingerprint: 'test',
    transform: transformOf(contents),
    count: contents.count,
    imagesPerShard: contents.imagesPerShard,
    missing: [],
  }
  await writeFile(join(folder, 'pack.json'), JSON.stringify(pack))
}
