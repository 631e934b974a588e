// How much is read and decoded at once, so that a folder of huge images costs time and not memory.
import { availableParallelism } from 'node:os'

/** Larger images are refused by name (a bomb of a few kB can hold gigapixels). */
export const maxPixels = 100_000_000
export const maxFileBytes = 512 * 1024 * 1024
/** Files and images above these wait for each other. */
export const largeFileBytes = 16 * 1024 * 1024
export const largePixels = 16_000_000
/** Files up to this are read without waiting. */
export const smallFileBytes = 128 * 1024
/** Threads that decode: one a core. */
export const decoderThreads = availableParallelism()
/** Files under way at the same time in one of them, so that one is read while another is decoded. */
export const filesPerThread = 2

/** Runs tasks one after the other. */
export type Turns = <T>(task: () => Promise<T>) => Promise<T>

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}
