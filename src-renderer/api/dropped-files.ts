// Reads what was dropped or chosen: folders with everything below them, as paths and files.
import type { LocalFile } from './upload'

export interface Collected {
  files: LocalFile[]
  /** Paths of files and folders that the browser refuses to open: odd names, no permission. */
  unreadable: string[]
}

export interface Dropped {
  /** Name for the dataset. */
  name: string
  /** Set where the service can read the folder in place. */
  localFolder: string | null
  /** Walks the folders; slow for large ones. */
  collect(onFound: (files: number) => void, signal: AbortSignal): Promise<Collected>
}

/** Files that systems leave in folders and that no one means to add. */
const isClutter = (name: string): boolean =>
  name === '.DS_Store' || name === 'Thumbs.db' || name === 'desktop.ini'

function readEntries(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject))
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject))
}

/** @param visit Told of every file; `null` where the browser cannot open it, or list the folder at that path. */
async function walk(
  entry: FileSystemEntry,
  prefix: string,
  visit: (path: string, file: File | null) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  if (isClutter(entry.name)) return
  const path = prefix + entry.name
  if (entry.isFile) {
    visit(path, await fileOf(entry as FileSystemFileEntry).catch(() => null))
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  // A reader hands out its entries in portions and ends with an empty one.
  for (;;) {
    const batch = await readEntries(reader).catch(() => null)
    if (batch === null) visit(`${path}/`, null)
    if (batch === null || batch.length === 0) return
    for (const child of batch) await walk(child, `${path}/`, visit, signal)
  }
}

/** Must be called inside the drop event: the browser empties the transfer afterwards. */
export function readDrop(transfer: DataTransfer, localPath: (file: File) => string | null): Dropped | null {
  const items = [...transfer.items].filter((item) => item.kind === 'file')
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null)
  const first = entries[0]
  if (!first) return looseFiles([...transfer.files])
  const single = entries.length === 1 && first.isDirectory
  const file = single ? items[0]?.getAsFile() : null
  return {
    name: single ? first.name : 'Dropped images',
    localFolder: file ? localPath(file) : null,
    async collect(onFound, signal) {
      const files: LocalFile[] = []
      const unreadable: string[] = []
      const visit = (whole: string, file: File | null): void => {
        // The name of a single folder is the dataset's; its sub-folders are the labels.
        const path = single ? whole.slice(first.name.length + 1) || whole : whole
        if (file) files.push({ path, file })
        else unreadable.push(path)
        if (files.length % 50 === 0) onFound(files.length)
      }
      for (const entry of entries) await walk(entry, '', visit, signal)
      return { files, unreadable }
    },
  }
}

/** Where the browser tells nothing of folders: the files as they are. */
function looseFiles(files: readonly File[]): Dropped | null {
  if (files.length === 0) return null
  const collect = (): Promise<Collected> =>
    Promise.resolve({ files: files.map((file) => ({ path: file.name, file })), unreadable: [] })
  return { name: 'Dropped images', localFolder: null, collect }
}

/** The files of an `<input type="file" webkitdirectory>`. */
export function readChosen(list: FileList): Dropped | null {
  const files = [...list].filter((file) => !isClutter(file.name))
  const root = files[0]?.webkitRelativePath.split('/')[0]
  if (root === undefined) return null
  return {
    name: root || 'Chosen images',
    localFolder: null,
    collect: () =>
      Promise.resolve({
        files: files.map((file) => ({
          path: file.webkitRelativePath.slice(root.length + 1) || file.name,
          file,
        })),
        unreadable: [],
      }),
  }
}
