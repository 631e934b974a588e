// Sends the files of a folder to the service piece by piece. Several files travel at once, pieces of one file
// in order; each piece waits for its answer, so the service sets the pace. Knows no page.
import type { GyreClient } from '#shared/contract/index'
import { uploadChunkBytes } from '#shared/contract/datasets'
import { GyreError, toGyreError } from '#shared/contract/errors'

/** A file and its place below the dropped folder, with `/`. */
export interface LocalFile {
  path: string
  file: File
}

export interface UploadProgress {
  files: number
  totalFiles: number
  sentBytes: number
  totalBytes: number
}

const filesAtOnce = 4

/** `a.png, b.png, and 7 more` */
export function firstNames(paths: readonly string[]): string {
  const more = paths.length - 5
  return paths.slice(0, 5).join(', ') + (more > 0 ? `, and ${more} more` : '')
}

export const noneReadable = (name: string, unreadable: readonly string[]): GyreError =>
  new GyreError('invalid-input', `No file of ${name} could be read.`, firstNames(unreadable))

/**
 * @returns The import job that follows, and the files that the browser could not read or the service not store.
 * @throws GyreError `cancelled` when `signal` is aborted; the service has then dropped what it had;
 * `invalid-input` when not one file could be sent.
 */
export async function uploadFiles(
  client: GyreClient,
  name: string,
  files: readonly LocalFile[],
  options: { signal: AbortSignal; onProgress: (progress: UploadProgress) => void },
): Promise<{ jobId: string; unreadable: string[] }> {
  const { signal, onProgress } = options
  const { uploadId } = await client.datasets.uploadBegin({ name })
  const unreadable: string[] = []
  const progress: UploadProgress = {
    files: 0,
    totalFiles: files.length,
    sentBytes: 0,
    totalBytes: files.reduce((sum, one) => sum + one.file.size, 0),
  }
  let next = 0

  async function sendFile({ path, file }: LocalFile): Promise<void> {
    let offset = 0
    do {
      if (signal.aborted) throw new GyreError('cancelled', 'The upload was cancelled.')
      let data: Uint8Array
      try {
        data = new Uint8Array(await file.slice(offset, offset + uploadChunkBytes).arrayBuffer())
      } catch {
        // Moved or locked since it was dropped.
        unreadable.push(path)
        return
      }
      try {
        await client.datasets.uploadChunk({ uploadId, path, offset, data }, { signal })
      } catch (thrown) {
        // A name or a file that the service cannot take; the others are none the worse for it.
        if (toGyreError(thrown).code !== 'invalid-input') throw thrown
        unreadable.push(path)
        return
      }
      offset += data.length
      progress.sentBytes += data.length
      onProgress({ ...progress })
    } while (offset < file.size)
  }

  async function work(): Promise<void> {
    for (let file = files[next++]; file; file = files[next++]) {
      await sendFile(file)
      progress.files += 1
      onProgress({ ...progress })
    }
  }

  try {
    await Promise.all(Array.from({ length: filesAtOnce }, work))
    if (unreadable.length > 0 && unreadable.length === files.length) throw noneReadable(name, unreadable)
    const { jobId } = await client.datasets.uploadFinish({ uploadId })
    return { jobId, unreadable }
  } catch (thrown) {
    next = files.length
    await client.datasets.uploadCancel({ uploadId }).catch(() => undefined)
    throw thrown
  }
}
