// Reads what was dropped or chosen: folders with everything below them, as paths and files.
import type { LocalFile } from './upload'

export interface Dropped {
  /** Name for the dataset. */
  name: string
  /** Set where the service can read the folder in place. */
  localFolder: string | null
  /** Walks the folders; slow for large ones. */
  collect(onFound: (files: number) => void, signal: AbortSignal): Promise<LocalFile[]>
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

async function walk(
  entry: FileSystemEntry,
  prefix: string,
  visit: (file: LocalFile) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  if (isClutter(entry.name)) return
  if (entry.isFile) {
    visit({ path: prefix + entry.name, file: await fileOf(entry as FileSystemFileEntry) })
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  // A reader hands out its entries in portions and ends with an empty one.
  for (let batch = await readEntries(reader); batch.length > 0; batch = await readEntries(reader))
    for (const child of batch) await walk(child, `${prefix}${entry.name}/`, visit, signal)
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
      const visit = (found: LocalFile): void => {
        // The name of a single folder is the dataset's; its sub-folders are the labels.
        files.push(single ? { ...found, path: found.path.slice(first.name.length + 1) } : found)
        if (files.length % 50 === 0) onFound(files.length)
      }
      for (const entry of entries) await walk(entry, '', visit, signal)
      return files
    },
  }
}

/** Where the browser tells nothing of folders: the files as they are. */
function looseFiles(files: readonly File[]): Dropped | null {
  if (files.length === 0) return null
  const collect = (): Promise<LocalFile[]> =>
    Promise.resolve(files.map((file) => ({ path: file.name, file })))
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
      Promise.resolve(
        files.map((file) => ({ path: file.webkitRelativePath.slice(root.length + 1) || file.name, file })),
      ),
  }
}
