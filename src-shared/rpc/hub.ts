// One service, many clients: attaches transports as they come and sends each event to all of them.
import type { ContractSpec, Emit, Handlers } from '../contract/define'
import type { Transport } from './message'
import { serve, type Served, type ServeOptions } from './server'

export interface Hub<C extends ContractSpec> {
  /** Serves one more client until its transport closes; returns its connection id. */
  attach(transport: Transport): string
  /** Sends an event to every client that has subscribed to it. */
  emit: Emit<C>
  /** How many clients are attached now. */
  readonly connections: number
  /** Closes every connection. */
  close(): void
}

export function createHub<C extends ContractSpec>(
  contract: C,
  handlers: Handlers<C>,
  options: Omit<ServeOptions, 'connectionId'> = {},
): Hub<C> {
  const served = new Map<string, Served<C>>()
  let count = 0

  return {
    attach(transport) {
      const connectionId = `c${++count}`
      const one = serve(contract, handlers, transport, { ...options, connectionId })
      served.set(connectionId, one)
      transport.onClose(() => served.delete(connectionId))
      return connectionId
    },
    emit(topic, name, payload) {
      for (const one of [...served.values()]) one.emit(topic, name, payload)
    },
    get connections() {
      return served.size
    },
    close() {
      for (const one of [...served.values()]) one.dispose()
    },
  }
}
