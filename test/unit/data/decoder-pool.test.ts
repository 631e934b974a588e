// The pool of decoder threads with stand-ins for the threads: what becomes of a crash, of a thread that can't start, and of
// what is under way when the pool is closed. The real threads are in test/integration/data/threads.test.ts.
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import {
  createDecoderPool,
  importDataset,
  openPack,
  packFolderOf,
  readItems,
  readSkipped,
} from '#main/data/index'
import { withFolder } from '../../support/folders'

const entry = resolve(import.meta.dirname, '../../support/crashing-decoder.mjs')
const transform: Transform = { imageSize: 8, resize: 'crop', background: '#ffffff', channelsIn: 3 }
const imageBytes = 8 * 8 * 3

async function importFiles(folder: string, names: readonly string[]) {
  const source = join(folder, 'source')
  const datasetFolder = join(folder, 'set')
  await mkdir(source)
  for (const name of names) await writeFile(join(source, name), 'x')
  const decoders = createDecoderPool({ entry, threads: 2 })
  const notices: string[] = []
  try {
    const about = { datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' } as const
    const onNotice = (words: string): void => void notices.push(words)
    const dataset = await importDataset({ ...about, prepare: transform, decoders, onNotice })
    const { items } = await readItems(datasetFolder, 0, 1000)
    const { items: skipped } = await readSkipped(datasetFolder, 0, 1000)
    return { dataset, datasetFolder, files: items.map(({ file }) => file), skipped, notices }
  } finally {
    await decoders.close()
  }
}

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `image-${String(i).padStart(3, '0')}.png`)

describe('a decoder thread that ends unexpectedly', () => {
  it('costs an import nothing when it was not the fault of a file', async () => {
    await withFolder(async (folder) => {
      const all = [...names(60), 'crash-once-7.png'].sort()
      const { files, skipped, notices, dataset, datasetFolder } = await importFiles(folder, all)
      expect([files, skipped]).toEqual([all, []])
      expect(notices.length).toBeGreaterThan(0)
      for (const words of notices)
        expect(words).toMatch(/A decoder stopped \(exit code 4\) and was started again/)
      // The pack is in order as well, whoever read which part.
      const pack = openPack(packFolderOf(datasetFolder, dataset.fingerprint, transform))
      const pixels = new Uint8Array(imageBytes)
      for (const [i, file] of all.entries()) {
        pack.read([i], pixels)
        expect([pack.file(i), pixels[0], pixels[imageBytes - 1]]).toEqual([file, ...twice(numberIn(file))])
      }
      pack.close()
    })
  })

  it('again and again costs only the file that ends it, which is named', async () => {
    await withFolder(async (folder) => {
      const good = names(40)
      const all = [...good, 'crash-always-a.png', 'image-020-crash.png', 'crash-always-z.png']
      const { files, skipped } = await importFiles(folder, all)
      expect(files).toEqual([...good, 'image-020-crash.png'].sort())
      const detail = 'The decoder ended each time it read this file.'
      expect(skipped).toEqual([
        { file: 'crash-always-a.png', reason: 'corrupt', detail },
        { file: 'crash-always-z.png', reason: 'corrupt', detail },
      ])
    })
  })
})

const numberIn = (file: string): number => Number(/\d+/.exec(file)?.[0] ?? 0)
const twice = (value: number): [number, number] => [value, value]

describe('a pool', () => {
  const request = (files: string[]) => ({
    ...{ root: '.', files, transform },
    into: new SharedArrayBuffer(files.length * imageBytes),
  })

  it('whose threads can not start says so and blames no file', async () => {
    await withFolder(async (folder) => {
      const broken = join(folder, 'broken.mjs')
      await writeFile(broken, `throw new Error('no image library here')`)
      const pool = createDecoderPool({ entry: broken, threads: 2 })
      await expect(pool.read(request(['1.png']))).rejects.toMatchObject({
        code: 'internal',
        message: 'The image decoder could not be started: no image library here',
      })
      await pool.close()
    })
  })

  it('answers many requests at once, and rejects what is under way when it is closed', async () => {
    const pool = createDecoderPool({ entry, threads: 3 })
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => pool.read(request([`${i}.png`]))))
    expect(results.every(({ files }) => files[0]?.kind === 'image')).toBe(true)
    const left = pool.read(request(['1.png']))
    const closing = pool.close()
    await expect(left).rejects.toMatchObject({ code: 'cancelled' })
    await closing
    await expect(pool.read(request(['1.png']))).rejects.toMatchObject({ code: 'cancelled' })
  })
})
