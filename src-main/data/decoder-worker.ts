// Entry of a decoder thread: takes requests from the pool, answers each. Large images wait for the pool's word, so that
// all threads together hold one at a time. Knows nothing of datasets.
import { parentPort } from 'node:worker_threads'
import { toGyreError } from '#shared/contract/errors'
import type { ToDecoder, FromDecoder } from './decoder-protocol'
import type { Turns } from './limits'
import { readFiles } from './read-files'

const port = parentPort
if (!port) throw new Error('A decoder runs in a worker thread only.')
const tell = (message: FromDecoder): void => port.postMessage(message)

const waiting: (() => void)[] = []
const turns: Turns = async (task) => {
  const granted = new Promise<void>((resolve) => waiting.push(resolve))
  tell({ kind: 'turn-wanted' })
  await granted
  try {
    return await task()
  } finally {
    tell({ kind: 'turn-over' })
  }
}

port.on('message', (message: ToDecoder) => {
  if (message.kind === 'turn') {
    waiting.shift()?.()
    return
  }
  const { id, request } = message
  readFiles(request, turns).then(
    ({ files, durationMs }) => tell({ kind: 'done', id, files: JSON.stringify(files), durationMs }),
    (error: unknown) => tell({ kind: 'failed', id, error: toGyreError(error).toShape() }),
  )
})
tell({ kind: 'ready' })
