// Bytes that survive a crash: the few file operations that checkpoints and logs are made of.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'

/** Writes a new file and returns once it is on disk. Not atomic: for files in a folder that nobody sees yet. */
export async function writeDurable(path: string, data: string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(data)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** SHA-256 (hex) and size of a file, read in a stream. */
export async function digestFile(path: string): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const block of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    hash.update(block)
    sizeBytes += block.length
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}
