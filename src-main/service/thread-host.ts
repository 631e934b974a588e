// The trainer as a worker thread of this process: the quickest to start, and nothing has to be copied between processes.
// A fault in native code ends the whole process.
import { Worker } from 'node:worker_threads'
import { nodePortTransport } from '#shared/rpc/index'
import { crashOfThread, type TrainerCrash } from './trainer-crash'
import type { TrainerHost, TrainerProcess } from './trainer-host'

function startThread(entry: string | URL): TrainerProcess {
  // Workers write through the parent's streams: stdout belongs to the command line's result alone.
  const worker = new Worker(entry, { stdout: true, name: 'trainer' })
  worker.stdout.on('data', (chunk: Buffer) => process.stderr.write(chunk))
  let failure: TrainerCrash | null = null
  let killed = false
  const ended = new Promise<TrainerCrash | null>((resolve) => {
    worker.on('error', (error) => (failure = crashOfThread(error)))
    worker.on('exit', (code) => {
      if (killed) resolve(null)
      else resolve(failure ?? (code === 0 ? null : crashOfThread(`exit code ${code}`)))
    })
  })
  return {
    isolation: 'thread',
    pid: null,
    transport: nodePortTransport(worker),
    ended,
    kill: async () => {
      killed = true
      await worker.terminate()
    },
  }
}

/** Runs the built trainer (dist/main/trainer.js) in a worker thread of this process. */
export function threadHost(entry: string | URL): TrainerHost {
  return { start: () => Promise.resolve(startThread(entry)) }
}
