// The built trainer (dist/main/trainer.js) as a child process or as a worker thread, with a client of its contract.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Client } from '#shared/contract/define'
import { trainerContract, type TrainerContract } from '#shared/contract/trainer'
import { createClient, nodePortTransport } from '#shared/rpc/index'
import { engineHome } from '#main/engine/home'

const entry = resolve(import.meta.dirname, '../../../dist/main/trainer.js')
const env = { ...process.env, GYRE_ENGINES: engineHome() }

export type TrainerClient = Client<TrainerContract>['trainer']

export interface ProcessTrainer {
  trainer: TrainerClient
  process: ChildProcess
  /** Resolves when the process is gone. */
  exited: Promise<unknown>
}

export function startProcess(): ProcessTrainer {
  const child = fork(entry, [], {
    env,
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const transport = nodePortTransport({
    // A killed child takes no more messages; the error is that of the call, which ends as disconnected.
    postMessage: (message) => void child.send(message as object, () => undefined),
    on: (type: string, listener: (message: unknown) => void) =>
      child.on(type === 'message' ? 'message' : 'disconnect', listener),
  })
  return { trainer: createClient(trainerContract, transport).trainer, process: child, exited }
}

export function startThread(): { trainer: TrainerClient; worker: Worker } {
  const worker = new Worker(entry, { env })
  return { trainer: createClient(trainerContract, nodePortTransport(worker)).trainer, worker }
}
