import { execFileSync } from 'node:child_process'
import { mkdir, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryPath } from '#main/data/atomic'
import { atomicWriteFile, atomicWriteJson, sweepTemporaries } from '#main/data/index'
import { withFolder } from '../../support/folders'

/** The id of a process that has ended. */
function deadProcess(): number {
  return Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
}

describe('atomic writes', () => {
  it('replace the file in one step and leave nothing else', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.json')
      await atomicWriteJson(path, { a: 1 })
      const { ino } = await stat(path)
      await atomicWriteFile(path, new Uint8Array([1, 2, 3]))
      expect([...(await readFile(path))]).toEqual([1, 2, 3])
      expect((await stat(path)).ino).not.toBe(ino)
      expect(await readdir(folder)).toEqual(['a.json'])
    })
  })

  it('many at once on one file leave one of them, whole', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a')
      const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(50_000 + i))
      await Promise.all(texts.map((text) => atomicWriteFile(path, text)))
      expect(texts).toContain(await readFile(path, 'utf8'))
      expect(await readdir(folder)).toEqual(['a'])
    })
  })

  it('that fail say why and leave the old file and no temporary one', async () => {
    await withFolder(async (folder) => {
      await expect(atomicWriteFile(join(folder, 'no', 'file'), 'x')).rejects.toMatchObject({
        code: 'not-found',
      })
      await mkdir(join(folder, 'taken', 'inner'), { recursive: true })
      await expect(atomicWriteFile(join(folder, 'taken'), 'x')).rejects.toThrow()
      expect(await readdir(folder)).toEqual(['taken'])
    })
  })
})

describe('sweeping', () => {
  it('removes what dead processes left, files and folders, and nothing else', async () => {
    await withFolder(async (folder) => {
      const ours = temporaryPath(folder)
      const dead = ours.replace(`-${process.pid}-`, `-${deadProcess()}-`)
      const living = ours.replace(`-${process.pid}-`, `-${process.ppid}-`)
      await writeFile(ours, 'being written')
      await writeFile(living, 'being written')
      await writeFile(dead, 'torn')
      await mkdir(`${dead}0`)
      await writeFile(join(`${dead}0`, 'shard'), 'torn')
      await writeFile(join(folder, '.gyre-tmp-notes.txt'), 'a file of the person')

      expect(await sweepTemporaries(folder)).toBe(2)
      expect((await readdir(folder)).sort()).toEqual(
        [ours, living, '.gyre-tmp-notes.txt'].map((path) => path.replace(`${folder}/`, '')).sort(),
      )
    })
  })

  it('removes what an earlier process with our own id left', async () => {
    await withFolder(async (folder) => {
      const path = temporaryPath(folder)
      await writeFile(path, 'torn')
      const before = new Date(Date.now() - process.uptime() * 1000 - 60_000)
      await utimes(path, before, before)
      expect(await sweepTemporaries(folder)).toBe(1)
      expect(await readdir(folder)).toEqual([])
    })
  })

  it('is content with a folder that is not there', async () => {
    await withFolder(async (folder) => {
      expect(await sweepTemporaries(join(folder, 'nothing'))).toBe(0)
    })
  })
})
