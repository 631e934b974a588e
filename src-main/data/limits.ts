// How much is read and decoded at once, so that a folder of huge images costs time and not memory.
import { availableParallelism } from 'node:os'

/** Larger images are refused by name (a bomb of a few kB can hold gigapixels). */
export const maxPixels = 100_000_000
export const maxFileBytes = 512 * 1024 * 1024
/** Files and images above these wait for each other. */
export const largeFileBytes = 16 * 1024 * 1024
export const largePixels = 16_000_000
/** Files under way at the same time: enough to keep every core decoding while others read. */
export const parallelFiles = Math.max(4, 2 * availableParallelism())

/** Runs tasks one after the other. */
export function createTurns(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}

/**
 * Applies `work` to each value with at most `limit` under way, results in the order of the values. When the
 * reader stops or anything throws, what was begun is waited for first.
 */
export async function* mapInOrder<T, R>(
  values: AsyncIterable<T>,
  limit: number,
  work: (value: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = []
  try {
    for await (const value of values) {
      const result = work(value)
      result.catch(() => undefined)
      underWay.push(result)
      const first = underWay.length >= limit ? underWay.shift() : undefined
      if (first !== undefined) yield await first
    }
    for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) yield await first
  } finally {
    await Promise.allSettled(underWay)
  }
}
