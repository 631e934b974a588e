import { mkdir, readFile, readdir, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { importDataset, openPack, packDataset, type Progress } from '#main/data/index'
import { makeBadFiles } from '../../support/bad-files'
import { withFolder } from '../../support/folders'
import { writePng } from '../../support/png'

const transform: Transform = { imageSize: 8, resize: 'crop', background: '#ffffff', channelsIn: 3 }
const imageBytes = 8 * 8 * 3
const pixel = (i: number) => (x: number, y: number, c: number) => (i * 31 + x * 5 + y * 3 + c) & 255

interface Place {
  source: string
  datasetFolder: string
  path: (i: number) => string
}

/** A dataset of `count` images `00.png`, `01.png`, … whose pixels are known. */
async function withDataset(count: number, work: (place: Place) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const source = join(folder, 'source')
    const datasetFolder = join(folder, 'dataset')
    const path = (i: number): string => join(source, `${String(i).padStart(2, '0')}.png`)
    await mkdir(source)
    for (let i = 0; i < count; i++) {
      await writeFile(path(i), writePng({ width: 8, height: 8, colour: 'rgb' }, pixel(i)))
    }
    await importDataset({ datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' })
    await work({ source, datasetFolder, path })
  })
}

function expectImage(bytes: Uint8Array, i: number): void {
  const wanted = Array.from({ length: imageBytes }, (_, at) =>
    pixel(i)(Math.floor(at / 3) % 8, Math.floor(at / 24), at % 3),
  )
  expect([...bytes]).toEqual(wanted)
}

describe('packing', () => {
  it('stores every image exactly, in the order of the items, and tells its progress', async () => {
    await withDataset(12, async ({ datasetFolder }) => {
      const told: Progress[] = []
      const folder = await packDataset({
        datasetFolder,
        transform,
        onProgress: (progress) => told.push(progress),
      })
      const pack = openPack(folder)
      expect(pack.info).toMatchObject({ count: 12, imageSize: 8, channels: 3, missing: [], transform })
      for (let i = 0; i < 12; i++) {
        const out = new Uint8Array(imageBytes)
        pack.read([i], out)
        expectImage(out, i)
        expect([pack.file(i), pack.item(i)]).toEqual([`${String(i).padStart(2, '0')}.png`, i])
      }
      pack.close()
      expect(told.at(-1)).toEqual({ phase: 'Preparing images', done: 12, total: 12, unit: 'images' })
      expect(await readdir(join(datasetFolder, 'packs'))).toHaveLength(1)
    })
  })

  it('is done once for a transform, and anew for another', async () => {
    await withDataset(3, async ({ datasetFolder }) => {
      const folder = await packDataset({ datasetFolder, transform })
      const { mtimeMs, ino } = await stat(join(folder, 'pack.json'))
      expect(await packDataset({ datasetFolder, transform })).toBe(folder)
      expect(await stat(join(folder, 'pack.json'))).toMatchObject({ mtimeMs, ino })
      const folders = new Set([folder])
      for (const other of [
        { imageSize: 16 },
        { resize: 'pad' },
        { background: '#000000' },
        { channelsIn: 1 },
      ] as const) {
        folders.add(await packDataset({ datasetFolder, transform: { ...transform, ...other } }))
      }
      expect(folders.size).toBe(5)
    })
  })

  it.each([
    ['a shard cut short', 'shard-00000.bin'],
    ['pack.json cut short', 'pack.json'],
    ['the list of names cut short', 'images.jsonl'],
  ])('is repeated when its cache is damaged: %s', async (_, name) => {
    await withDataset(3, async ({ datasetFolder }) => {
      const folder = await packDataset({ datasetFolder, transform })
      await truncate(join(folder, name), 20)
      expect(await packDataset({ datasetFolder, transform })).toBe(folder)
      const pack = openPack(folder)
      const out = new Uint8Array(imageBytes)
      pack.read([2], out)
      expectImage(out, 2)
      pack.close()
    })
  })

  it('names files that are gone, changed or damaged since the scan, and takes them in again once they are back', async () => {
    await withDataset(6, async ({ datasetFolder, path }) => {
      const kept = await readFile(path(1))
      const { atime, mtime } = await stat(path(1))
      await rename(path(0), `${path(0)}.away`)
      await writeFile(path(1), 'no image any more')
      await writeFile(path(3), writePng({ width: 8, height: 8, colour: 'rgb' }, pixel(9)))

      const folder = await packDataset({ datasetFolder, transform })
      const pack = openPack(folder)
      expect(pack.info.missing.map(({ item, file }) => [item, file])).toEqual([
        [0, '00.png'],
        [1, '01.png'],
        [3, '03.png'],
      ])
      expect(pack.files()).toEqual(['02.png', '04.png', '05.png'])
      expect([pack.item(0), pack.item(1)]).toEqual([2, 4])
      const out = new Uint8Array(2 * imageBytes)
      pack.read([0, 2], out)
      expectImage(out.subarray(0, imageBytes), 2)
      expectImage(out.subarray(imageBytes), 5)
      pack.close()

      await rename(`${path(0)}.away`, path(0))
      await writeFile(path(1), kept)
      await utimes(path(1), atime, mtime)
      const again = openPack(await packDataset({ datasetFolder, transform }))
      expect(again.info.missing.map(({ file }) => file)).toEqual(expect.not.arrayContaining(['00.png']))
      again.close()
    })
  })

  it('says so when the whole folder is gone, and when nothing can be used', async () => {
    await withDataset(3, async ({ datasetFolder, source }) => {
      await rename(source, `${source}-away`)
      await expect(packDataset({ datasetFolder, transform })).rejects.toMatchObject({ code: 'not-found' })
      await mkdir(source)
      await expect(packDataset({ datasetFolder, transform })).rejects.toMatchObject({ code: 'not-found' })
      expect(await readdir(join(datasetFolder, 'packs'))).toEqual([])
      await rm(datasetFolder, { recursive: true })
      await importDataset({ datasetFolder, source, kind: 'folder', id: 'set', name: 'Nothing' })
      await expect(packDataset({ datasetFolder, transform })).rejects.toMatchObject({ code: 'invalid-input' })
    })
  })

  it('leaves nothing behind when it is cancelled, and works afterwards', async () => {
    await withDataset(80, async ({ datasetFolder }) => {
      const controller = new AbortController()
      const onProgress = (): void => controller.abort()
      const work = packDataset({ datasetFolder, transform, onProgress, signal: controller.signal })
      await expect(work).rejects.toMatchObject({ code: 'cancelled' })
      expect(await readdir(join(datasetFolder, 'packs'))).toEqual([])
      const pack = openPack(await packDataset({ datasetFolder, transform }))
      expect(pack.info.count).toBe(80)
      pack.close()
    })
  })

  it('takes the usable ones of a folder of broken and odd files', async () => {
    await withFolder(async (folder) => {
      const source = join(folder, 'source')
      await mkdir(source)
      const made = await makeBadFiles(source)
      const datasetFolder = join(folder, 'dataset')
      await importDataset({ datasetFolder, source, kind: 'folder', id: 'set', name: 'Odd' })
      const usable = made.filter(({ fate }) => fate === 'used').map(({ file }) => file)
      for (const resize of ['crop', 'pad', 'stretch'] as const) {
        const pack = openPack(await packDataset({ datasetFolder, transform: { ...transform, resize } }))
        expect(pack.info.missing).toEqual([])
        expect(pack.files().sort()).toEqual(usable.sort())
        pack.close()
      }
    })
  })
})
