// Where the trainer runs: in a worker thread, or in a process of its own. Whoever starts it can't tell which.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { EngineWish } from '#shared/contract/common'
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
  /** Starts a trainer, which will load `engine`. */
  start(engine: EngineWish): TrainerProcess
}

/** A host that is the same for every engine. */
interface OneHost extends TrainerHost {
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
export function threadHost(entry: string | URL): OneHost {
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

/**
 * Runs the built trainer in a process of its own (Node's; Electron's main process can't start one like this): its memory
 * is its own, and it ends when this process ends.
 */
export function processHost(entry: string | URL): OneHost {
  return {
    start: () => {
      const child = fork(typeof entry === 'string' ? entry : fileURLToPath(entry), [], {
        serialization: 'advanced',
        // Standard output belongs to the command line's result alone.
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      })
      child.stdout?.on('data', (chunk: Buffer) => process.stderr.write(chunk))
      let failure: TrainerCrash | null = null
      let killed = false
      const ended = new Promise<TrainerCrash | null>((resolve) => {
        child.on('error', (error) => (failure = describeCrash(error)))
        child.on('close', (code, signal) => {
          if (killed) resolve(null)
          else resolve(failure ?? (code === 0 ? null : describeCrash(signal ?? `exit code ${code ?? ''}`)))
        })
      })
      return {
        transport: nodePortTransport({
          // A killed child takes no more messages; the calls under way end as disconnected.
          postMessage: (message) => void child.send(message as object, () => undefined),
          on: (type: string, listener: (message: unknown) => void) =>
            child.on(type === 'message' ? 'message' : 'disconnect', listener),
        }),
        ended,
        kill: async () => {
          killed = true
          child.kill('SIGKILL')
          await ended
        },
      }
    },
  }
}

/** Engines that load no graphics driver. */
const onProcessor: ReadonlySet<EngineWish> = new Set(['tensorflow-cpu', 'wasm'])

/**
 * A thread for what computes on the processor, a process for what may compute on a graphics card: a driver may crash, and
 * WebGPU takes its process with it when its thread is ended in the middle of a call. Electron's main process can start
 * no other process that is Node, so there all are threads.
 */
export function defaultHost(entry: string | URL): TrainerHost {
  const thread = threadHost(entry)
  const own = 'electron' in process.versions ? thread : processHost(entry)
  return { start: (engine) => (onProcessor.has(engine) ? thread : own).start() }
}
