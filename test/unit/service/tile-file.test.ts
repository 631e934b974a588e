// Tiles of codes on disk: any order, any damage, and a reader of safetensors that knows nothing of them.
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readSafetensors } from '#main/export/safetensors'
import { missingTiles, readTiles, writeTiles } from '../../../src-main/service/tile-file'

const size = 4
const bytes = size * size * 3

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-tiles-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const tile = (code: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (code * 37 + i) % 256)
const together = (codes: readonly number[]): { size: number; pixels: Uint8Array } => ({
  size,
  pixels: new Uint8Array(Buffer.concat(codes.map(tile))),
})

it('keeps tiles that come in any order, and knows which are missing', async () => {
  const path = join(root, 'order')
  expect(await readTiles(path, 6, [0])).toBeNull()
  expect(await missingTiles(path, 6)).toEqual([0, 1, 2, 3, 4, 5])
  await writeTiles(path, 6, [4, 1], together([4, 1]))
  await writeTiles(path, 6, [0], together([0]))
  expect(await readTiles(path, 6, [1, 3, 0, 4, 1])).toEqual({
    size,
    tiles: [tile(1), null, tile(0), tile(4), tile(1)],
  })
  expect(await missingTiles(path, 6)).toEqual([2, 3, 5])
  // Anybody can read it.
  const { tensors, metadata } = await readSafetensors(path)
  expect(metadata.get('format')).toBe('gyre-tiles')
  expect(tensors.get('pixels')?.shape).toEqual([6, size, size, 3])
  expect(tensors.get('pixels')?.data.subarray(4 * bytes, 5 * bytes)).toEqual(tile(4))
})

it('keeps a black tile apart from one that is not there', async () => {
  const path = join(root, 'black')
  await writeTiles(path, 2, [0], { size, pixels: new Uint8Array(bytes) })
  expect(await readTiles(path, 2, [0, 1])).toEqual({ size, tiles: [new Uint8Array(bytes), null] })
})

it('takes a damaged tile for missing, and only that one', async () => {
  const path = join(root, 'damaged')
  await writeTiles(path, 3, [0, 1, 2], together([0, 1, 2]))
  const file = await readFile(path)
  // One bit of the middle tile: the pixels end the file.
  const at = file.length - 2 * bytes + 5
  file[at] = (file[at] ?? 0) ^ 1
  await writeFile(path, file)
  expect(await readTiles(path, 3, [0, 1, 2])).toEqual({ size, tiles: [tile(0), null, tile(2)] })
  await writeTiles(path, 3, [1], together([1]))
  expect((await readTiles(path, 3, [1]))?.tiles).toEqual([tile(1)])
})

it('starts anew where the file does not fit: torn, something else, another codebook or size', async () => {
  const path = join(root, 'unfit')
  const other = { size: 2, pixels: new Uint8Array(12).fill(9) }
  const unfit: (() => Promise<void>)[] = [
    () => writeFile(path, 'something else'),
    async () => truncate(path, (await stat(path)).size - 1),
    async () => {
      await rm(path)
      await writeTiles(path, 5, [0], together([0]))
    },
    async () => {
      await rm(path)
      await writeTiles(path, 3, [0], other)
    },
  ]
  for (const make of unfit) {
    await make()
    await writeTiles(path, 3, [2], together([2]))
    expect(await readTiles(path, 3, [0, 2])).toEqual({ size, tiles: [null, tile(2)] })
  }
})
