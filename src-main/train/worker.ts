// Entry of the trainer's thread or process: its contract, served to whoever started it. The only place that knows
// which of the two it is.
import { parentPort } from 'node:worker_threads'
import { trainerContract } from '#shared/contract/trainer'
import { nodePortTransport, serve, type Served, type Transport } from '#shared/rpc/index'
import { Trainer } from './trainer'

/** The port to the parent: a worker thread's, or a child process's (started with `serialization: 'advanced'`). */
function parentTransport(): Transport {
  if (parentPort) return nodePortTransport(parentPort)
  if (!process.send) throw new Error('The trainer runs in a worker thread or as a child process only.')
  return nodePortTransport({
    postMessage: (message) => void process.send?.(message),
    on: (type: string, listener: (message: unknown) => void) =>
      process.on(type === 'message' ? 'message' : 'disconnect', listener),
    close: () => process.disconnect(),
  })
}

let served: Served<typeof trainerContract> | null = null
const trainer = new Trainer((...event) => served?.emit(...event))
const transport = parentTransport()
served = serve(trainerContract, trainer.handlers, transport, { connectionId: 'parent' })
// Without a parent nobody could stop it: save what was learnt, then end.
transport.onClose(() => {
  void trainer.close().finally(() => {
    if (!parentPort) process.exit(0)
  })
})
