// Where the trainer runs. Today a worker thread; a child process fits behind the same three members.
import { Worker } from 'node:worker_threads'
import { GyreError } from '#shared/contract/errors'
import { nodePortTransport, type Transport } from '#shared/rpc/index'

export interface TrainerProcess {
  readonly transport: Transport
  /** Resolves when the trainer is gone: with what went wrong, or null after an orderly end. */
  readonly ended: Promise<TrainerCrash | null>
  kill(): Promise<void>
}

/** The trainer is gone, with everything it was doing. */
export class TrainerCrash extends GyreError {}

export interface TrainerHost {
  start(): TrainerProcess
}

function describeCrash(error: unknown): TrainerCrash {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_WORKER_OUT_OF_MEMORY')
    return new TrainerCrash(
      'out-of-memory',
      'The trainer ran out of memory.',
      'Use a smaller batch size or image size, then resume.',
      { cause: error },
    )
  const message = error instanceof Error ? error.message : String(error)
  return new TrainerCrash(
    'internal',
    `The trainer stopped unexpectedly: ${message}`,
    'Resume the run: it goes on from its last checkpoint.',
    { cause: error },
  )
}

/** Runs the built trainer (dist/main/trainer.js) in a worker thread of this process. */
export function threadHost(entry: string | URL): TrainerHost {
  return {
    start: () => {
      // Workers write through the parent's streams: stdout belongs to the command line's result alone.
      const worker = new Worker(entry, { stdout: true, name: 'trainer' })
      worker.stdout.on('data', (chunk: Buffer) => process.stderr.write(chunk))
      let failure: TrainerCrash | null = null
      let killed = false
      const ended = new Promise<TrainerCrash | null>((resolve) => {
        worker.on('error', (error) => (failure = describeCrash(error)))
        worker.on('exit', (code) => {
          if (killed) resolve(null)
          else resolve(failure ?? (code === 0 ? null : describeCrash(`exit code ${code}`)))
        })
      })
      return {
        transport: nodePortTransport(worker),
        ended,
        kill: async () => {
          killed = true
          await worker.terminate()
        },
      }
    },
  }
}
