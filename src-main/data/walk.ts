// Lists the files below a folder in a fixed order, one folder in memory at a time. Never opens a file; links are
// followed, circles are not; what can't be a source file is named with its reason.
import { isUtf8 } from 'node:buffer'
import type { Dir, Dirent, Stats } from 'node:fs'
import { opendir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SkippedFile } from '#shared/contract/files'
import { systemWords } from './fs-errors'
import type { SkipReason } from './unusable'

export type Found = { kind: 'file'; file: string } | { kind: 'skipped'; skipped: SkippedFile }

/** What systems and tools leave in folders; nobody misses them in a report. */
const systemNames =
  /^(\.DS_Store|\._.*|\.localized|Thumbs\.db|ehthumbs\.db|desktop\.ini|\.directory|\.nomedia|\.gitkeep|\.gitignore|\.git|\.svn|__MACOSX|@eaDir|\.Spotlight-V100|\.Trashes|\.Trash-\d+|\.fseventsd|\.thumbnails|\$RECYCLE\.BIN|System Volume Information)$/i

interface Entry {
  name: string
  kind: 'file' | 'folder' | 'link' | 'other' | 'bad-name'
}

/** Entries that are handed over together. */
const entriesPerPart = 512

function skipped(file: string, reason: SkipReason, detail: string): Found {
  return { kind: 'skipped', skipped: { file, reason, detail } }
}

/** A name that is not text, in ASCII: other bytes as `\xNN`. */
export function escapeName(name: Buffer): string {
  return name
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function entryOf(entry: Dirent<Buffer>): Entry {
  if (!isUtf8(entry.name)) return { name: escapeName(entry.name), kind: 'bad-name' }
  const name = entry.name.toString('utf8')
  if (entry.isFile()) return { name, kind: 'file' }
  if (entry.isDirectory()) return { name, kind: 'folder' }
  return { name, kind: entry.isSymbolicLink() ? 'link' : 'other' }
}

/** Entries sorted by name, the same on every file system. */
async function listFolder(path: string): Promise<Entry[]> {
  const entries: Entry[] = []
  // Node gives names as buffers for this encoding; its types know that only for `readdir`.
  const folder = (await opendir(path, {
    encoding: 'buffer' as BufferEncoding,
    bufferSize: 512,
  })) as unknown as Dir & AsyncIterable<Dirent<Buffer>>
  for await (const entry of folder as AsyncIterable<Dirent<Buffer>>) {
    const found = entryOf(entry)
    if (!systemNames.test(found.name)) entries.push(found)
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function describeOther(info: Stats): string {
  if (info.isFIFO()) return 'It is a named pipe.'
  if (info.isSocket()) return 'It is a socket.'
  return 'It is a device.'
}

async function identity(path: string): Promise<string> {
  const info = await stat(path, { bigint: true })
  return `${info.dev}:${info.ino}`
}

/**
 * Walks `root`: the files of a folder first, then its folders, by name; linked folders at the end. Paths are relative
 * with `/`, some hundred at a time. A folder that can't be listed is reported like a file.
 * @throws the system's error when `root` itself can't be listed
 */
export async function* walk(root: string): AsyncGenerator<Found[]> {
  const seen = await withParents(root)
  const folders = ['']
  const linkedFolders: string[] = []
  for (;;) {
    const folder = folders.pop() ?? linkedFolders.shift()
    if (folder === undefined) return
    const inFolder: string[] = []
    let entries: Entry[]
    try {
      if (folder !== '' && !(await isNew(join(root, folder), seen))) {
        const words = 'It is a link to a folder that is read already, or that holds this one.'
        yield [skipped(folder, 'link-loop', words)]
        continue
      }
      entries = await listFolder(join(root, folder))
    } catch (error) {
      if (folder === '') throw error
      yield [skipped(folder, 'unreadable', `The folder ${systemWords(error)}.`)]
      continue
    }
    let part: Found[] = []
    for (const { name, kind } of entries) {
      const file = folder === '' ? name : `${folder}/${name}`
      if (kind === 'file') part.push({ kind: 'file', file })
      else if (kind === 'folder') inFolder.push(file)
      else if (kind === 'bad-name') {
        part.push(skipped(file, 'unreadable', 'Its name is not valid text (UTF-8). Rename it to use it.'))
      } else {
        const found = await resolveEntry(root, file)
        if (found === 'folder') linkedFolders.push(file)
        else part.push(found)
      }
      if (part.length < entriesPerPart) continue
      yield part
      part = []
    }
    if (part.length > 0) yield part
    folders.push(...inFolder.reverse())
  }
}

/** The root and what holds it: a link up there would bring in everything around the source folder. */
async function withParents(root: string): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let path = await realpath(root); ; path = dirname(path)) {
    seen.add(await identity(path))
    if (dirname(path) === path) return seen
  }
}

async function isNew(path: string, seen: Set<string>): Promise<boolean> {
  const id = await identity(path)
  if (seen.has(id)) return false
  seen.add(id)
  return true
}

/** What a link leads to, or what a thing that is neither file nor folder is. */
async function resolveEntry(root: string, file: string): Promise<Found | 'folder'> {
  try {
    const info = await stat(join(root, file))
    if (info.isDirectory()) return 'folder'
    return info.isFile() ? { kind: 'file', file } : skipped(file, 'not-a-file', describeOther(info))
  } catch (error) {
    const isCircle = error instanceof Error && 'code' in error && error.code === 'ELOOP'
    return isCircle
      ? skipped(file, 'link-loop', 'The link leads in a circle.')
      : skipped(file, 'unreadable', `It is a link, and what it leads to ${systemWords(error)}.`)
  }
}
