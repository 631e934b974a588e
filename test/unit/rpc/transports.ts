// Every way to join two transports, for the contract test that all adapters pass.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MessageChannel as NodeChannel } from 'node:worker_threads'
import { WebSocket, WebSocketServer } from 'ws'
import { memoryPair } from '#shared/rpc/memory'
import type { Transport } from '#shared/rpc/message'
import { nodePortTransport, portTransport } from '#shared/rpc/port'
import { socketTransport } from '#shared/rpc/socket'

export interface Joined {
  client: Transport
  server: Transport
  /** Releases what outlives the transports. */
  release(): Promise<void>
}

const nothing = (): Promise<void> => Promise.resolve()

async function joinSockets(): Promise<Joined> {
  const http = createServer()
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const accepted = new Promise<WebSocket>((resolve) => sockets.once('connection', resolve))
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  await new Promise((resolve) => socket.once('open', resolve))
  return {
    client: socketTransport(socket),
    server: socketTransport(await accepted),
    release: () =>
      new Promise((resolve) => {
        sockets.close()
        http.close(() => resolve())
      }),
  }
}

export const adapters: Record<string, () => Promise<Joined>> = {
  memory: () => {
    const [client, server] = memoryPair()
    return Promise.resolve({ client, server, release: nothing })
  },
  'DOM port': () => {
    const { port1, port2 } = new MessageChannel()
    return Promise.resolve({ client: portTransport(port1), server: portTransport(port2), release: nothing })
  },
  'Node port': () => {
    const { port1, port2 } = new NodeChannel()
    return Promise.resolve({
      client: nodePortTransport(port1),
      server: nodePortTransport(port2),
      release: nothing,
    })
  },
  socket: joinSockets,
}
