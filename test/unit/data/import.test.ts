import { createHash } from 'node:crypto'
import {
  appendFile,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importDataset, readDataset, readItems, readSkipped, openScan, type Progress } from '#main/data/index'
import { makeBadFiles } from '../../support/bad-files'
import { withFolder } from '../../support/folders'
import { writePng } from '../../support/png'

const tiny = (shade: number): Buffer => writePng({ width: 8, height: 6, colour: 'grey' }, () => shade)

function importFrom(source: string, datasetFolder: string) {
  return importDataset({ datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' })
}

/** Names, kinds, sizes, times and contents of everything below a folder. */
async function snapshot(folder: Buffer): Promise<string[]> {
  const lines: string[] = []
  for (const name of await readdir(folder, { encoding: 'buffer' })) {
    const path = Buffer.concat([folder, Buffer.from('/'), name])
    const info = await lstat(path)
    if (info.isDirectory()) lines.push(...(await snapshot(path)))
    let content = ''
    if (info.isFile())
      content = createHash('sha256')
        .update(await readFile(path))
        .digest('hex')
    if (info.isSymbolicLink()) content = await readlink(path)
    lines.push([path.toString('hex'), info.mode, info.size, info.mtimeMs, info.ctimeMs, content].join(' '))
  }
  return lines
}

describe('import of broken and odd files', () => {
  it('names every file that is not used with its reason, uses the others, and leaves the source alone', async () => {
    await withFolder(async (folder) => {
      const source = join(folder, 'source')
      const target = join(folder, 'dataset')
      await mkdir(source)
      const made = await makeBadFiles(source)
      const before = await snapshot(Buffer.from(source))

      const dataset = await importFrom(source, target)

      const { items } = await readItems(target, 0, 1000)
      const { items: skipped } = await readSkipped(target, 0, 1000)
      const fates = new Map<string, string>(skipped.map(({ file, reason }) => [file, reason]))
      for (const { file } of items) fates.set(file, 'used')
      const told = made.map(({ file }) => ({ file, fate: fates.get(file) ?? 'ignored' }))
      expect(told).toEqual(made)
      expect(made.filter(({ fate }) => fate !== 'used' && fate !== 'ignored').length).toBeGreaterThanOrEqual(
        30,
      )
      expect(items.length + skipped.length).toBe(made.filter(({ fate }) => fate !== 'ignored').length)
      for (const { detail } of skipped) expect(detail).toMatch(/^[A-Z].*\.$/)
      expect(dataset).toMatchObject({ imageCount: items.length, skippedCount: skipped.length })
      expect(await snapshot(Buffer.from(source))).toEqual(before)
    })
  })

  it('makes a dataset with a report even when nothing is usable, and refuses a folder that is not there', async () => {
    await withFolder(async (folder) => {
      const empty = join(folder, 'empty')
      await mkdir(empty)
      expect(await importFrom(empty, join(folder, 'a'))).toMatchObject({
        imageCount: 0,
        minWidth: 0,
        maxWidth: 0,
      })
      expect(await readItems(join(folder, 'a'), 0, 10)).toEqual({ total: 0, items: [] })

      await expect(importFrom(join(folder, 'gone'), join(folder, 'b'))).rejects.toMatchObject({
        code: 'not-found',
      })
      await writeFile(join(folder, 'file'), 'x')
      await expect(importFrom(join(folder, 'file'), join(folder, 'c'))).rejects.toMatchObject({
        code: 'invalid-input',
      })
      await expect(readDataset(join(folder, 'b'))).rejects.toMatchObject({ code: 'not-found' })
    })
  })
})

describe('a copy in the library', () => {
  it('is found inside its own folder and nowhere else', async () => {
    await withFolder(async (folder) => {
      const datasetFolder = join(folder, 'set')
      await mkdir(join(datasetFolder, 'files', 'cats'), { recursive: true })
      await writeFile(join(datasetFolder, 'files', 'cats', 'a.png'), tiny(1))
      const copy = { datasetFolder, kind: 'copy', id: 'set', name: 'Set' } as const
      const dataset = await importDataset({ ...copy, source: 'files' })
      expect(dataset).toMatchObject({ source: 'files', imageCount: 1, labels: { cats: 1 } })
      for (const source of ['..', '../other', folder]) {
        await expect(importDataset({ ...copy, source })).rejects.toMatchObject({ code: 'invalid-input' })
      }
    })
  })
})

describe('the report', () => {
  it('counts labels, formats, sizes and alpha, in an order that does not depend on the file system', async () => {
    await withFolder(async (folder) => {
      const source = join(folder, 'source')
      await mkdir(join(source, 'dogs', 'big'), { recursive: true })
      await writeFile(join(source, 'z.png'), tiny(1))
      await writeFile(
        join(source, 'dogs', 'b.png'),
        writePng({ width: 4, height: 9, colour: 'rgba' }, () => 7),
      )
      await writeFile(join(source, 'dogs', 'big', 'a.png'), tiny(3))

      const dataset = await importFrom(source, join(folder, 'set'))

      expect(dataset).toMatchObject({
        imageCount: 3,
        minWidth: 4,
        maxWidth: 8,
        minHeight: 6,
        maxHeight: 9,
        withAlpha: 1,
        formats: { png: 3 },
        modes: { 'b-w': 2, srgb: 1 },
      })
      expect(dataset.labels).toEqual({ '': 1, dogs: 2 })
      const { items } = await readItems(join(folder, 'set'), 0, 10)
      expect(items.map(({ file }) => file)).toEqual(['z.png', 'dogs/b.png', 'dogs/big/a.png'])
      expect(await readDataset(join(folder, 'set'))).toEqual(dataset)
    })
  })

  it('has a fingerprint that changes with names, sizes and times, and with nothing else', async () => {
    await withFolder(async (folder) => {
      const source = join(folder, 'source')
      await mkdir(source)
      await writeFile(join(source, 'a.png'), tiny(1))
      await writeFile(join(source, 'b.png'), tiny(2))
      const time = new Date(1_700_000_000_000)
      for (const name of ['a.png', 'b.png']) await utimes(join(source, name), time, time)
      const print = async (name: string) => (await importFrom(source, join(folder, name))).fingerprint

      const first = await print('1')
      await writeFile(join(source, 'notes.txt'), 'not an image')
      expect(await print('2')).toBe(first)
      await utimes(join(source, 'b.png'), time, new Date(1_700_000_001_000))
      const touched = await print('3')
      expect(touched).not.toBe(first)
      await rm(join(source, 'b.png'))
      expect(await print('4')).not.toBe(touched)
    })
  })

  it('pages through long lists anywhere', async () => {
    await withFolder(async (folder) => {
      const source = join(folder, 'source')
      await mkdir(source)
      const image = tiny(5)
      const names = Array.from({ length: 700 }, (_, i) => `${String(i).padStart(4, '0')}.png`)
      for (const name of names) await writeFile(join(source, name), image)
      await importFrom(source, join(folder, 'set'))
      for (const [offset, limit] of [
        [0, 1],
        [250, 20],
        [255, 258],
        [690, 50],
        [0, 1000],
        [700, 5],
      ] as const) {
        const { total, items } = await readItems(join(folder, 'set'), offset, limit)
        expect({ total, files: items.map(({ file }) => file) }).toEqual({
          total: 700,
          files: names.slice(offset, offset + limit),
        })
      }
    })
  })
})

describe('a scan', () => {
  it('tells how far it is and ends with everything done', async () => {
    await withFolder(async (folder) => {
      for (let i = 0; i < 20; i++) await writeFile(join(folder, `${i}.png`), tiny(i))
      const told: Progress[] = []
      let results = 0
      const scan = await openScan(folder, { onProgress: (progress) => told.push(progress) })
      expect(scan.total).toBe(20)
      for await (const part of scan.parts()) {
        for (const found of part.results) expect(found.kind).toBe('item')
        results += part.results.length
      }
      expect(results).toBe(20)
      expect(told.map(({ phase }) => phase)).toContain('Looking for files')
      expect(told.at(-1)).toEqual({ phase: 'Reading images', done: 20, total: 20, unit: 'files' })
    })
  })

  it('stops when cancelled and leaves no dataset and no temporary file', async () => {
    await withFolder(async (folder) => {
      const source = join(folder, 'source')
      await mkdir(source)
      for (let i = 0; i < 200; i++) await writeFile(join(source, `${i}.png`), tiny(i & 255))
      const controller = new AbortController()
      const datasetFolder = join(folder, 'set')
      const work = importDataset({
        datasetFolder,
        source,
        kind: 'folder',
        id: 'set',
        name: 'Set',
        signal: controller.signal,
        onProgress: ({ phase }) => {
          if (phase === 'Reading images') controller.abort()
        },
      })
      await expect(work).rejects.toMatchObject({ code: 'cancelled' })
      expect(await readdir(datasetFolder)).toEqual([])
    })
  })

  it('notices a file that grows while it is read', async () => {
    await withFolder(async (folder) => {
      // Large, so that reading takes longer than the time between two of the writer's steps.
      const path = join(folder, 'growing.png')
      await writeFile(path, Buffer.concat([tiny(1), Buffer.alloc(40 * 1024 * 1024)]))
      const read = new AbortController()
      const writer = (async () => {
        while (!read.signal.aborted) await appendFile(path, 'x')
      })()
      const found = []
      for await (const { results } of (await openScan(folder)).parts()) found.push(...results)
      read.abort()
      await writer
      expect(found).toMatchObject([{ kind: 'skipped', skipped: { reason: 'changed-while-reading' } }])
    })
  })
})
