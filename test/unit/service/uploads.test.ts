import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uploadChunkBytes } from '#shared/contract/datasets'
import { sweepUploads, Uploads } from '../../../src-main/service/uploads'

let root: string
let outside: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-uploads-'))
  outside = join(root, 'outside')
  await mkdir(outside)
})
afterAll(() => rm(root, { recursive: true, force: true }))

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const folder = (name: string): string => join(root, name)

describe('uploads', () => {
  it('puts pieces of interleaved files together', async () => {
    const uploads = new Uploads(folder('good'))
    const id = await uploads.begin('Photos')
    await Promise.all([
      uploads.chunk(id, 'a/one.png', 0, bytes('first ')),
      uploads.chunk(id, 'two.png', 0, bytes('x')),
      uploads.chunk(id, 'a/one.png', 6, bytes('second')),
    ])
    const { folder: made, name } = await uploads.finish(id)
    expect(name).toBe('Photos')
    expect(await readFile(join(made, 'a', 'one.png'), 'utf8')).toBe('first second')
    expect(await readFile(join(made, 'two.png'), 'utf8')).toBe('x')
    await expect(uploads.chunk(id, 'b', 0, bytes('x'))).rejects.toMatchObject({ code: 'not-found' })
  })

  it.each([
    ...[
      '../x',
      'a/../../x',
      '..',
      '.',
      '',
      '/etc/passwd',
      '//x',
      'a//b',
      'a/',
      './a',
      'a/./b',
      'C:/x',
      'C:',
      '.../../..',
      'a\n/../x',
    ],
  ])('refuses the path %j', async (path) => {
    const uploads = new Uploads(folder('paths'))
    const id = await uploads.begin('Evil')
    await expect(uploads.chunk(id, path, 0, bytes('x'))).rejects.toMatchObject({ code: 'invalid-input' })
    await uploads.cancel(id)
  })

  it('stores a name that a disk can’t take under one like it, and goes on', async () => {
    const uploads = new Uploads(folder('odd'))
    const id = await uploads.begin('Odd')
    const long = 'ä'.repeat(300)
    const odd = [
      'a\n.png',
      'a%0A.png',
      '..\\x',
      'a\\..\\..\\x',
      'nul\u0000.png',
      '\u007f',
      'c:x',
      `${long}.png`,
    ]
    for (const path of [...odd, `${long}!.png`, 'in\tside/b.png']) {
      const start = bytes(path.slice(0, 4))
      await uploads.chunk(id, path, 0, start)
      await uploads.chunk(id, path, start.length, bytes('!'))
    }
    const { folder: made } = await uploads.finish(id)
    const names = await readdir(made)
    expect(names).toHaveLength(odd.length + 2)
    for (const name of ['a%0A.png', '..%5Cx', 'a%5C..%5C..%5Cx', 'nul%00.png', '%7F', 'c%3Ax', 'in%09side'])
      expect(names).toContain(name)
    expect(names.filter((name) => /^a%0A~[0-9a-f]{8}\.png$/.test(name))).toHaveLength(1)
    expect(names.filter((name) => /^ä{100,}~[0-9a-f]{8}\.png$/.test(name))).toHaveLength(2)
    expect(await readFile(join(made, 'a%0A.png'), 'utf8')).toBe('a\n.p!')
    expect(await readdir(folder('odd'))).toEqual([id])
  })

  it('writes nothing outside, whatever the path', async () => {
    const uploads = new Uploads(join(folder('fuzz'), 'inner'))
    const id = await uploads.begin('Fuzz')
    const part = fc.constantFrom('..', '.', '', 'a', 'b.png', '/', '\\', '\0', '~', 'C:', '%2e%2e', '．．')
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
        await uploads.chunk(id, parts.join('/'), 0, bytes('x')).catch(() => undefined)
      }),
    )
    expect(await readdir(folder('fuzz'))).toEqual(['inner'])
    expect(await readdir(join(folder('fuzz'), 'inner'))).toEqual([id])
    await uploads.cancel(id)
  })

  it('does not follow a link out', async () => {
    const uploads = new Uploads(folder('links'))
    const id = await uploads.begin('Link')
    await symlink(outside, join(folder('links'), id, 'way-out'))
    await expect(uploads.chunk(id, 'way-out/x.png', 0, bytes('x'))).rejects.toMatchObject({
      code: 'invalid-input',
    })
    expect(await readdir(outside)).toEqual([])
  })

  it('refuses pieces out of order, holes, overwriting and a file where a folder is', async () => {
    const uploads = new Uploads(folder('order'))
    const id = await uploads.begin('Order')
    await uploads.chunk(id, 'a.png', 0, bytes('abc'))
    for (const offset of [0, 2, 4])
      await expect(uploads.chunk(id, 'a.png', offset, bytes('x'))).rejects.toThrow('order')
    await expect(uploads.chunk(id, 'b.png', 1, bytes('x'))).rejects.toThrow('order')
    await expect(uploads.chunk(id, 'a.png/b.png', 0, bytes('x'))).rejects.toThrow()
    await uploads.chunk(id, 'a.png', 3, bytes('d'))
    const { folder: made } = await uploads.finish(id)
    expect(await readFile(join(made, 'a.png'), 'utf8')).toBe('abcd')
  })

  it('keeps its bounds', async () => {
    const limits = { files: 2, fileBytes: 8, totalBytes: 12, open: 1 }
    const uploads = new Uploads(folder('bounds'), limits)
    const id = await uploads.begin('Large')
    await expect(uploads.begin('Another')).rejects.toMatchObject({ code: 'busy' })
    const tooLarge = { code: 'too-large' }
    await expect(uploads.chunk(id, 'a', 0, new Uint8Array(9))).rejects.toMatchObject(tooLarge)
    await expect(uploads.chunk(id, 'a', 0, new Uint8Array(uploadChunkBytes + 1))).rejects.toMatchObject(
      tooLarge,
    )
    await uploads.chunk(id, 'a', 0, new Uint8Array(8))
    await expect(uploads.chunk(id, 'b', 0, new Uint8Array(5))).rejects.toMatchObject(tooLarge)
    await uploads.chunk(id, 'b', 0, new Uint8Array(4))
    await expect(uploads.chunk(id, 'c', 0, new Uint8Array(0))).rejects.toMatchObject(tooLarge)
    await uploads.close()
    expect(await readdir(folder('bounds'))).toEqual([])
  })

  it('throws away what is idle, empty or left by a dead process', async () => {
    const path = folder('old')
    const uploads = new Uploads(path, { idleMs: -1 })
    await uploads.begin('Idle')
    const empty = await uploads.begin('Empty')
    expect(await readdir(path)).toEqual([empty])
    await expect(uploads.finish(empty)).rejects.toThrow('no file')
    await mkdir(join(path, 'upload-999999999-abc'))
    await writeFile(join(path, 'upload-999999999-abc', 'x'), '')
    const alive = await uploads.begin('Alive')
    await sweepUploads(path)
    expect(await readdir(path)).toEqual([alive])
  })
})
