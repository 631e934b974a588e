// The window's one client of the service. Stores ask for it with `useClient`; tests put their own in place.
import { contract, type GyreClient, type GyreContract } from '#shared/contract/index'
import { openTransport } from './open-transport'
import { createReconnectingClient, type ReconnectingClient } from './reconnecting-client'

let attached: ReconnectingClient<GyreContract> | undefined

/** Connects to the service and keeps at it. */
export function connect(open = openTransport): ReconnectingClient<GyreContract> {
  attached?.close()
  attached = createReconnectingClient(contract, open)
  return attached
}

function current(): ReconnectingClient<GyreContract> {
  if (!attached) throw new Error('connect() comes first')
  return attached
}

export function useClient(): GyreClient {
  return current().client
}

export function useConnection(): ReconnectingClient<GyreContract> {
  return current()
}

/** Calls `listener` now if there is a connection, and at every later one: the moment to load everything. */
export function onEachConnection(listener: () => void): void {
  const connection = current()
  if (connection.state === 'connected') listener()
  connection.onState((state) => {
    if (state === 'connected') listener()
  })
}
