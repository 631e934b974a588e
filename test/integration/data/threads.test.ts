// The built decoder threads: what they make of a folder is what one thread makes of it, whatever is in it, and a cancelled
// import ends them in good order.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import {
  createDecoderPool,
  importDataset,
  openPack,
  packDataset,
  packFolderOf,
  readItems,
  readSkipped,
  type Decoders,
} from '#main/data/index'
import { makeBadFiles } from '../../support/bad-files'
import { withFolder } from '../../support/folders'
import { emojiFolder } from '../../support/sample'

const entry = resolve(import.meta.dirname, '../../../dist/main/decoder.js')
const transform: Transform = { imageSize: 32, resize: 'crop', background: '#ffffff', channelsIn: 3 }

/** Good and bad files, small and large ones: two beyond the size from which images wait for each other. */
async function makeSource(folder: string): Promise<string> {
  const source = join(folder, 'source')
  await mkdir(join(source, 'emoji'), { recursive: true })
  await makeBadFiles(source)
  for (const name of (await readdir(emojiFolder)).filter((_, i) => i % 20 === 0))
    await cp(join(emojiFolder, name), join(source, 'emoji', name))
  for (const [i, [width, height]] of [
    [5000, 4000],
    [4400, 4000],
    [800, 600],
    [333, 257],
  ].entries()) {
    const background = { r: 40 * i, g: 90, b: 200 - 30 * i }
    const picture = sharp({ create: { width: width ?? 1, height: height ?? 1, channels: 3, background } })
    await writeFile(join(source, `large-${i}.jpg`), await picture.jpeg().toBuffer())
  }
  return source
}

async function outcome(datasetFolder: string, source: string, decoders?: Decoders) {
  const about = { datasetFolder, source, kind: 'folder', id: 'set', name: 'Set', prepare: transform } as const
  const { fingerprint } = await importDataset({ ...about, ...(decoders && { decoders }) })
  const { items } = await readItems(datasetFolder, 0, 10_000)
  const { items: skipped } = await readSkipped(datasetFolder, 0, 10_000)
  const packFolder = packFolderOf(datasetFolder, fingerprint, transform)
  const pack = openPack(packFolder)
  const pixels = Buffer.alloc(pack.info.count * 32 * 32 * 3)
  pack.read(
    Array.from({ length: pack.info.count }, (_, i) => i),
    pixels,
  )
  pack.close()
  return { fingerprint, items, skipped, pixels, packFolder }
}

describe('decoder threads', () => {
  it('make of a folder what one thread makes of it, and a run finds the images prepared', async () => {
    await withFolder(async (folder) => {
      const source = await makeSource(folder)
      const alone = await outcome(join(folder, 'alone'), source)
      const pool = createDecoderPool({ entry, threads: 3 })
      try {
        const { packFolder, ...together } = await outcome(join(folder, 'together'), source, pool)
        const { items, skipped, pixels } = together
        expect([items.length, skipped.length > 5]).toEqual([alone.items.length, true])
        expect(items).toEqual(alone.items)
        expect(skipped).toEqual(alone.skipped)
        expect(pixels.equals(alone.pixels)).toBe(true)
        expect(items.filter(({ file }) => file.startsWith('large-'))).toHaveLength(4)

        const written = await readFile(join(packFolder, 'pack.json'))
        const datasetFolder = join(folder, 'together')
        expect(await packDataset({ datasetFolder, transform, decoders: pool })).toBe(packFolder)
        expect(await readFile(join(packFolder, 'pack.json'))).toEqual(written)
      } finally {
        await pool.close()
      }
    })
  })

  it('stop when an import is cancelled, and serve the next', async () => {
    await withFolder(async (folder) => {
      const source = await makeSource(folder)
      const pool = createDecoderPool({ entry, threads: 2 })
      try {
        const controller = new AbortController()
        const datasetFolder = join(folder, 'set')
        const cancelled = importDataset({
          ...{ datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' },
          decoders: pool,
          prepare: transform,
          signal: controller.signal,
          onProgress: ({ phase }) => {
            if (phase === 'Reading images') controller.abort()
          },
        })
        await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
        expect(await readdir(join(datasetFolder, 'packs'))).toEqual([])
        expect(await readdir(datasetFolder)).toEqual(['packs'])
        const { items } = await outcome(datasetFolder, source, pool)
        expect(items.length).toBeGreaterThan(100)
      } finally {
        await pool.close()
      }
    })
  })
})
