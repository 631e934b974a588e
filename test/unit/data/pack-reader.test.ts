import { readdirSync, readlinkSync } from 'node:fs'
import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openPack } from '#main/data/index'
import { withFolder } from '../../support/folders'
import { writePack, writeSparsePack } from '../../support/packs'

const imageBytes = 8 * 8 * 3
const value = (image: number, at: number): number => (image * 37 + at * 11) & 255
const contents = { count: 23, imageSize: 8, channelsIn: 3, imagesPerShard: 5, value } as const

const imageOf = (i: number): number[] => Array.from({ length: imageBytes }, (_, at) => value(i, at))

/** Files below `folder` that this process holds open. */
function openFilesIn(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${name}`)
      return path.startsWith(folder) ? [path] : []
    } catch {
      return []
    }
  })
}

describe('a pack', () => {
  it('gives any images in any order, across shards, both ways of reading', async () => {
    await withFolder(async (folder) => {
      const pack = openPack(await writePack(folder, contents))
      expect(pack.info).toMatchObject({ count: 23, imageSize: 8, channels: 3, missing: [] })
      expect([pack.file(7), pack.item(7), pack.files().length]).toEqual(['image-7.png', 14, 23])
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(22), { maxLength: 40 }), async (indices) => {
          const wanted = indices.flatMap(imageOf)
          const out = new Uint8Array(indices.length * imageBytes)
          pack.read(indices, out)
          expect([...out]).toEqual(wanted)
          const late = new Uint8Array(indices.length * imageBytes + 3)
          await pack.readAsync(Int32Array.from(indices), late)
          expect([...late]).toEqual([...wanted, 0, 0, 0])
        }),
        { numRuns: 30 },
      )
      pack.close()
    })
  })

  it('is read by position: one of 16 GB opens and gives its last image', async () => {
    await withFolder(async (folder) => {
      // No Buffer can hold such a shard, so reading it whole could not succeed.
      const imageSize = 512
      const count = Math.ceil((16 * 1024 ** 3) / (imageSize * imageSize * 3))
      await writeSparsePack(folder, { count, imageSize, channelsIn: 3, value: (_, at) => at & 255 })
      const pack = openPack(folder)
      const size = imageSize * imageSize * 3
      const out = new Uint8Array(2 * size)
      await pack.readAsync([count - 1, 0], out)
      expect([out[1], out[255], out[size - 1]]).toEqual([1, 255, 255])
      expect(out.subarray(size).every((byte) => byte === 0)).toBe(true)
      pack.close()
    })
  })

  it('refuses positions that are not there, and a buffer that is too small', async () => {
    await withFolder(async (folder) => {
      const pack = openPack(await writePack(folder, contents))
      const out = new Uint8Array(imageBytes)
      for (const index of [-1, 23, 1.5, NaN]) {
        expect(() => pack.read([index], out)).toThrow(/There is no image/)
        await expect(pack.readAsync([index], out)).rejects.toMatchObject({ code: 'invalid-input' })
        expect(() => pack.file(index)).toThrow(/There is no image/)
      }
      expect(() => pack.read([0, 1], out)).toThrow()
      pack.close()
    })
  })

  it.each(['pack.json', 'images.jsonl', 'shard-00002.bin'])(
    'that lacks a part of %s is refused',
    async (name) => {
      await withFolder(async (folder) => {
        await writePack(folder, contents)
        await truncate(join(folder, name), 50)
        expect(() => openPack(folder)).toThrow(expect.objectContaining({ code: 'corrupt' }))
        await rm(join(folder, name))
        const code = name === 'pack.json' ? 'not-found' : 'corrupt'
        expect(() => openPack(folder)).toThrow(expect.objectContaining({ code }))
      })
    },
  )

  it('whose lists disagree is refused, and no file stays open', async () => {
    await withFolder(async (folder) => {
      await writePack(folder, contents)
      await writeFile(join(folder, 'images.jsonl'), '[0,"a.png"]\n')
      expect(() => openPack(folder)).toThrow(expect.objectContaining({ code: 'corrupt' }))
      await writeFile(join(folder, 'images.jsonl'), '["../../x",0]\n'.repeat(23))
      expect(() => openPack(folder)).toThrow(expect.objectContaining({ code: 'corrupt' }))
      await writePack(folder, contents)
      await writeFile(join(folder, 'shard-00004.bin'), 'longer or shorter')
      expect(() => openPack(folder)).toThrow(expect.objectContaining({ code: 'corrupt' }))
      if (process.platform === 'linux') expect(openFilesIn(folder)).toEqual([])
    })
  })

  it('reports a shard that is cut off while it is open', async () => {
    await withFolder(async (folder) => {
      const pack = openPack(await writePack(folder, contents))
      await truncate(join(folder, 'shard-00001.bin'), 10)
      const out = new Uint8Array(imageBytes)
      expect(() => pack.read([5], out)).toThrow(expect.objectContaining({ code: 'corrupt' }))
      await expect(pack.readAsync([5], out)).rejects.toMatchObject({ code: 'corrupt' })
      pack.read([1], out)
      expect([...out]).toEqual(imageOf(1))
      pack.close()
    })
  })

  it('finishes the reads under way when it is closed, and then gives nothing more', async () => {
    await withFolder(async (folder) => {
      const pack = openPack(await writePack(folder, contents))
      const out = new Uint8Array(20 * imageBytes)
      const indices = Array.from({ length: 20 }, (_, i) => i)
      const reading = pack.readAsync(indices, out)
      pack.close()
      await reading
      expect([...out]).toEqual(indices.flatMap(imageOf))
      expect(() => pack.read([0], out)).toThrow(/closed/)
      if (process.platform === 'linux') expect(openFilesIn(folder)).toEqual([])
    })
  })
})
