import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinInside, resolveInside } from '#main/data/index'
import { withFolder } from '../../support/folders'

const leavingPaths = [
  '..',
  '../',
  '../x',
  'a/../../x',
  'a/b/../../../x',
  './../x',
  '/etc/passwd',
  '//server/share',
  'a/..',
  '../library-2/x',
  'x\0.png',
  '..\0',
  '/',
  '/../x',
]

describe('a path inside a folder', () => {
  it.each(leavingPaths)('%j is refused', async (path) => {
    expect(() => joinInside('/library', path)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
    await expect(resolveInside('/library', path)).rejects.toMatchObject({ code: 'invalid-input' })
  })

  it('is joined, whatever odd but harmless name it has', () => {
    for (const path of ['a', 'a/b.png', '...', '..a/b..', 'a:b', '~', '%2e%2e/x', 'a//b', './a', '']) {
      expect(joinInside('/library', path)).toBe(join('/library', path).replace(/\/$/, ''))
    }
  })

  it('never leaves its root', () => {
    const part = fc.constantFrom('..', '.', 'a', '', '/', '\\', 'b.png', '..a', '\0')
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        let joined: string
        try {
          joined = joinInside('/library/one', parts.join('/'))
        } catch {
          return
        }
        expect(joined === '/library/one' || joined.startsWith('/library/one/')).toBe(true)
      }),
    )
  })

  it('may not lead out by a link, at any place of the path, also when the file is not there yet', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await mkdir(join(root, 'sub'), { recursive: true })
      await mkdir(join(folder, 'root-2'))
      await writeFile(join(folder, 'secret'), 'x')
      await symlink(join(folder, 'secret'), join(root, 'file'))
      await symlink('../root-2', join(root, 'twin'))
      await symlink('..', join(root, 'sub', 'up'))
      for (const path of ['file', 'twin', 'twin/new', 'sub/up/../..']) {
        await expect(resolveInside(root, path)).rejects.toThrow()
      }
      expect(await resolveInside(root, 'sub/up/new.txt')).toBe(join(root, 'sub/up/new.txt'))
      expect(await resolveInside(root, 'not/there/yet')).toBe(join(root, 'not/there/yet'))
    })
  })

  it('may have a root that is itself behind a link', async () => {
    await withFolder(async (folder) => {
      await mkdir(join(folder, 'real'))
      await symlink('real', join(folder, 'link'))
      await writeFile(join(folder, 'real', 'a'), '')
      const path = await resolveInside(join(folder, 'link'), 'a')
      expect(await realpath(path)).toBe(await realpath(join(folder, 'real', 'a')))
    })
  })

  it('may not be a dangling link that points out', async () => {
    await withFolder(async (folder) => {
      await mkdir(join(folder, 'root'))
      await symlink(join(folder, 'later'), join(folder, 'root', 'trap'))
      await expect(resolveInside(join(folder, 'root'), 'trap')).rejects.toMatchObject({
        code: 'invalid-input',
      })
    })
  })
})
