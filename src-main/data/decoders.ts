// Who reads and decodes files for an import: threads, or this thread. Both give the same; see `decoder-pool` for the
// threads and for what becomes of a crash.
import { createTurns } from './limits'
import { readFiles, type ReadRequest, type ReadResult } from './read-files'

export interface Decoders {
  /** As many requests at a time keep all of them busy. */
  readonly parallel: number
  /** Reads every file of the request. Rejects only for what is not a file's fault. */
  read(request: ReadRequest): Promise<ReadResult>
}

const turns = createTurns()

/** Decodes in the calling thread, which stands still meanwhile: for tests, and where there is no worker to start. */
export const inThisThread: Decoders = { parallel: 2, read: (request) => readFiles(request, turns) }
