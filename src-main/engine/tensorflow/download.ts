// A download that survives interruptions: bytes go to a `.part` file, and what is there is never fetched twice
// where the server understands ranges. It trusts nothing: the caller checks the SHA-256.
import { open, rename, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { GyreError } from '#shared/contract/errors'

export interface DownloadOptions {
  expectedBytes: number
  onBytes?: (done: number) => void
  signal?: AbortSignal
  /** Tries in a row that bring no new byte before giving up. */
  attempts?: number
  retryDelayMs?: number
  /** A connection that sends nothing for this long is dropped and tried again. */
  stallMs?: number
}

/** The server said no: asking again will not help. */
class Refused extends Error {}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0

/** Where the body of this answer belongs in the file; null where the file is complete already. */
function offsetOf(response: Response, asked: number, expectedBytes: number): number | null {
  if (response.status === 416 && asked === expectedBytes) return null
  if (response.status === 200) return 0
  if (response.status === 206) {
    const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
    return start === undefined || Number(start) > asked ? 0 : Number(start)
  }
  if (response.status === 416) return 0
  if (response.status >= 500 || response.status === 408 || response.status === 429)
    throw new Error(`The server answered ${response.status}.`)
  throw new Refused(`The server answered ${response.status}.`)
}

/** One connection. Returns normally when the server ended the body; the caller looks at the size. */
async function transfer(url: string, part: string, options: DownloadOptions): Promise<void> {
  const have = await sizeOf(part)
  const stalled = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stalled.signal]) : stalled.signal
  const stallMs = options.stallMs ?? 60_000
  const watch = setTimeout(() => stalled.abort(new Error('The server stopped sending.')), stallMs)
  try {
    const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {}
    const response = await fetch(url, { headers, signal })
    const offset = offsetOf(response, have, options.expectedBytes)
    if (offset === null || response.body === null || response.status === 416) {
      await response.body?.cancel()
      if (offset === 0) await (await open(part, 'w')).close()
      return
    }
    const file = await open(part, have > 0 ? 'r+' : 'w')
    try {
      await file.truncate(offset)
      let position = offset
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        watch.refresh()
        if (position + chunk.length > options.expectedBytes)
          throw new Refused('The server sent more than the file should hold.')
        for (let written = 0; written < chunk.length;)
          written += (await file.write(chunk, written, chunk.length - written, position + written))
            .bytesWritten
        position += chunk.length
        options.onBytes?.(position)
      }
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    clearTimeout(watch)
  }
}

/** A file error (disk full, no permission): trying again will not help. `fetch` wraps those of the network. */
const isLocal = (error: unknown): boolean => typeof (error as NodeJS.ErrnoException).syscall === 'string'

/**
 * Downloads `url` to `target` by way of `target.part`, which stays behind for the next try when this one fails or is
 * cancelled. Throws `disconnected` when the network gives nothing more; file errors and aborts pass through.
 */
export async function download(url: string, target: string, options: DownloadOptions): Promise<void> {
  const part = `${target}.part`
  const attempts = options.attempts ?? 5
  let failures = 0
  let best = await sizeOf(part)
  for (;;) {
    let problem: unknown
    try {
      await transfer(url, part, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      if (isLocal(error)) throw error
      problem = error
    }
    const size = await sizeOf(part)
    if (size === options.expectedBytes) break
    if (size > options.expectedBytes) await (await open(part, 'w')).close()
    failures = size > best ? 0 : failures + 1
    best = Math.max(best, size)
    if (problem instanceof Refused || failures >= attempts) {
      const why =
        problem instanceof Error
          ? ((problem.cause as Error | undefined)?.message ?? problem.message)
          : 'It ended early.'
      throw new GyreError(
        'disconnected',
        `The download stopped: ${why}`,
        'What arrived is kept; try again to go on.',
        {
          cause: problem,
        },
      )
    }
    await delay(options.retryDelayMs ?? 1000, undefined, { signal: options.signal })
  }
  await rename(part, target)
}
