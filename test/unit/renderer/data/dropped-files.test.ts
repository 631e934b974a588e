// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'
import { readChosen, readDrop } from '../../../../src-renderer/api/dropped-files'

type Tree = { [name: string]: Tree | string }

function entryOf(name: string, content: Tree | string): FileSystemEntry {
  if (typeof content === 'string') {
    const file = new File([content], name)
    return {
      name,
      isFile: true,
      isDirectory: false,
      // What Chromium does with a newline, a backslash or broken UTF-8 in a name.
      file: (ok: (file: File) => void, fail: (error: Error) => void) =>
        /[\n\\\ufffd]/.test(name) ? fail(new DOMException('not of requested type')) : ok(file),
    } as unknown as FileSystemEntry
  }
  return {
    name,
    isFile: false,
    isDirectory: true,
    createReader: () => {
      const all = Object.entries(content).map(([child, inside]) => entryOf(child, inside))
      // Real readers hand out portions; two at a time here.
      return {
        readEntries: (ok: (entries: FileSystemEntry[]) => void, fail: (error: Error) => void) =>
          name === 'locked' ? fail(new DOMException('no permission')) : ok(all.splice(0, 2)),
      }
    },
  } as unknown as FileSystemEntry
}

function transferOf(tree: Tree): DataTransfer {
  const items = Object.entries(tree).map(([name, content]) => ({
    kind: 'file',
    webkitGetAsEntry: () => entryOf(name, content),
    getAsFile: () => new File([], name),
  }))
  return { items } as unknown as DataTransfer
}

const collect = async (tree: Tree): Promise<{ name: string; paths: string[]; unreadable: string[] }> => {
  const dropped = readDrop(transferOf(tree), () => null)
  const found = await dropped?.collect(() => undefined, new AbortController().signal)
  return {
    name: dropped?.name ?? '',
    paths: (found?.files ?? []).map(({ path }) => path),
    unreadable: found?.unreadable ?? [],
  }
}

describe('readDrop', () => {
  it('walks a folder to its end, names the dataset after it, and keeps sub-folders as paths', async () => {
    const found = await collect({
      birds: {
        'a.png': '1',
        robin: { 'b.png': '2', 'c.png': '3', deep: { 'd.png': '4' } },
        '.DS_Store': 'x',
        'e.png': '5',
      },
    })
    expect(found.name).toBe('birds')
    expect(found.paths.sort()).toEqual(['a.png', 'e.png', 'robin/b.png', 'robin/c.png', 'robin/deep/d.png'])
  })

  it('keeps folder names when several things are dropped', async () => {
    const found = await collect({ cats: { 'a.png': '1' }, dogs: { 'a.png': '2' }, 'loose.png': '3' })
    expect(found).toMatchObject({ name: 'Dropped images', paths: ['cats/a.png', 'dogs/a.png', 'loose.png'] })
  })

  it('names what the browser cannot open and takes all the rest', async () => {
    const found = await collect({
      birds: {
        'a.png': '1',
        'odd\nname.png': '2',
        robin: { 'back\\slash.png': '3', 'b.png': '4' },
        locked: {},
      },
    })
    expect(found.paths).toEqual(['a.png', 'robin/b.png'])
    expect(found.unreadable).toEqual(['odd\nname.png', 'robin/back\\slash.png', 'locked/'])
  })

  it('names the folder to read in place where the app knows its path', () => {
    const dropped = readDrop(transferOf({ birds: {} }), (file) => `/home/me/${file.name}`)
    expect(dropped?.localFolder).toBe('/home/me/birds')
    expect(readDrop(transferOf({ 'a.png': '1' }), (file) => `/home/me/${file.name}`)?.localFolder).toBeNull()
  })

  it('is nothing for dropped text', () => {
    expect(
      readDrop({ items: [{ kind: 'string' }], files: [] } as unknown as DataTransfer, () => null),
    ).toBeNull()
  })

  it('takes plain files where the browser tells nothing of folders', async () => {
    const file = new File(['1'], 'a.png')
    const transfer = { items: [{ kind: 'file', webkitGetAsEntry: () => null }], files: [file] }
    const dropped = readDrop(transfer as unknown as DataTransfer, () => null)
    const found = await dropped?.collect(() => undefined, new AbortController().signal)
    expect(found).toEqual({ files: [{ path: 'a.png', file }], unreadable: [] })
  })

  it('stops when it is cancelled', async () => {
    const controller = new AbortController()
    controller.abort()
    const dropped = readDrop(transferOf({ birds: { 'a.png': '1' } }), () => null)
    await expect(dropped?.collect(() => undefined, controller.signal)).rejects.toThrow()
  })
})

describe('readChosen', () => {
  it('takes the chosen folder off the paths', async () => {
    const file = (path: string): File => {
      const made = new File(['x'], path.split('/').at(-1) ?? '')
      Object.defineProperty(made, 'webkitRelativePath', { value: path })
      return made
    }
    const list = [file('pics/a/1.png'), file('pics/2.png'), file('pics/Thumbs.db')] as unknown as FileList
    const chosen = readChosen(list)
    expect(chosen?.name).toBe('pics')
    const found = await chosen?.collect(() => undefined, new AbortController().signal)
    expect(found?.files.map(({ path }) => path)).toEqual(['a/1.png', '2.png'])
  })
})
