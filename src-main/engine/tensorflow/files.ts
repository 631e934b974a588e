// Small helpers for large files.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** The SHA-256 of a file, in hexadecimal. */
export async function hashFile(
  path: string,
  onBytes?: (done: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  let done = 0
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async function (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk)
        done += chunk.length
        onBytes?.(done)
      }
    },
    { signal },
  )
  return hash.digest('hex')
}

/** Makes what was written to a file or folder lasting. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}

/** Every file and folder below `folder`, as paths from it. */
export async function listTree(folder: string): Promise<{ files: string[]; folders: string[] }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const pathOf = ({ parentPath, name }: (typeof entries)[number]): string =>
    relative(folder, join(parentPath, name))
  return {
    files: entries.filter((entry) => entry.isFile()).map(pathOf),
    folders: entries.filter((entry) => entry.isDirectory()).map(pathOf),
  }
}
