// Entry of the trainer's thread or process: its contract, served to whoever started it. The only place that knows
// which of them it is.
import { parentPort } from 'node:worker_threads'
import { trainerContract } from '#shared/contract/trainer'
import { nodePortTransport, serve, type Served, type Transport } from '#shared/rpc/index'
import { makeTransport } from '#shared/rpc/message'
import { Trainer } from './trainer'

/** The port that Electron gives to a process that its shell has started. */
interface ElectronPort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { data: unknown }) => void): unknown
}

const electronPort = (process as { parentPort?: ElectronPort }).parentPort

/** A key in the terminal, or a system that shuts down, reaches both processes: the parent decides, and tells. */
function leaveToParent(...signals: NodeJS.Signals[]): void {
  for (const signal of signals) process.on(signal, () => undefined)
}

/** Over Electron's port. It tells of no end: Electron ends this process with its own. */
function electronTransport(port: ElectronPort): Transport {
  const { transport, receive } = makeTransport({
    send: (message) => port.postMessage(message),
    close: () => process.exit(0),
  })
  port.on('message', ({ data }) => receive(data))
  return transport
}

/** The line to the parent: a worker thread's, or a process's (Node's with `serialization: 'advanced'`, or Electron's). */
function parentTransport(): Transport {
  if (parentPort) return nodePortTransport(parentPort)
  if (electronPort) {
    leaveToParent('SIGINT')
    return electronTransport(electronPort)
  }
  if (!process.send) throw new Error('The trainer runs in a worker thread or as a child process only.')
  leaveToParent('SIGINT', 'SIGTERM')
  return nodePortTransport({
    postMessage: (message) => void process.send?.(message),
    on: (type: string, listener: (message: unknown) => void) =>
      process.on(type === 'message' ? 'message' : 'disconnect', listener),
    close: () => process.disconnect(),
  })
}

let served: Served<typeof trainerContract> | null = null
const batchesEntry = new URL('./batches.js', import.meta.url)
const trainer = new Trainer((...event) => served?.emit(...event), { batchesEntry })
const transport = parentTransport()
served = serve(trainerContract, trainer.handlers, transport, { connectionId: 'parent' })
// Without a parent nobody could stop it: save what was learnt, then end.
transport.onClose(() => {
  void trainer.close().finally(() => {
    if (!parentPort) process.exit(0)
  })
})
