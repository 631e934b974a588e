// The WebSocket side: admits only our own page (Host, Origin) that says the token in its first message, then
// hands the connection to the service's hub. Bounds what a client may send, and how slow it may be.
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { uploadChunkBytes } from '#shared/contract/datasets'
import { acceptedFrame, maxHelloBytes, readHello, refusedCode } from '#shared/rpc/handshake'
import type { Transport } from '#shared/rpc/message'
import { socketTransport } from '#shared/rpc/socket'
import { securityHeaders } from './headers'
import { refuse } from './http'
import { isOwnHost, isOwnOrigin, type OwnNames } from './origin'
import type { Strangers } from './strangers'
import { sameToken } from './token'

export const rpcPath = '/rpc'

/** A piece of an upload and what is around it. */
export const maxPayloadBytes = uploadChunkBytes + 256 * 1024

const helloTimeoutMs = 5000
const heartbeatMs = 15_000
const maxClients = 32
const maxListItems = 100_000
/** A first frame and its framing; no stranger may make the server keep more. */
const maxStrangerBytes = 2 * maxHelloBytes
const maxBufferedBytes = { event: 32 * 1024 * 1024, any: 256 * 1024 * 1024 }

export interface SocketHost {
  server: Server
  names: () => OwnNames
  token: string
  strangers: Strangers
  attach: (transport: Transport) => void
}

/** Answers upgrades of `server`; the returned function ends every connection. */
export function hostSockets({ server, names, token, strangers, attach }: SocketHost): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxPayloadBytes,
  })
  const clients = new Map<WebSocket, { alive: boolean }>()

  sockets.on('headers', (headers) => {
    for (const [name, value] of Object.entries(securityHeaders(names().sockets))) {
      headers.push(`${name}: ${value}`)
    }
  })
  sockets.on('wsClientError', (_error, socket) => refuse(socket, 400, names()))

  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    if (!isOwnHost(request, names())) refuse(socket, 421, names())
    else if (!isOwnOrigin(request, names())) refuse(socket, 403, names())
    else if (request.url !== rpcPath) refuse(socket, 404, names())
    else sockets.handleUpgrade(request, socket, head, (client) => greet(client, socket))
  })

  function greet(client: WebSocket, socket: Socket): void {
    let received = 0
    let trusted = false
    const timer = setTimeout(() => client.close(refusedCode, 'no token'), helloTimeoutMs)
    const count = (chunk: Buffer): void => {
      received += chunk.length
      if (!trusted && received > maxStrangerBytes) socket.destroy()
    }
    socket.on('data', count)
    // Frames beyond the bound and broken frames end the socket by themselves.
    client.on('error', () => undefined)
    client.once('close', () => clearTimeout(timer))
    client.once('message', (data: Buffer, isBinary) => {
      clearTimeout(timer)
      const given = isBinary ? undefined : readHello(data.toString())
      if (given === undefined || !sameToken(given, token)) {
        client.close(refusedCode, 'refused')
        return
      }
      if (clients.size >= maxClients) {
        client.close(1013, 'too many windows')
        return
      }
      trusted = true
      socket.off('data', count)
      strangers.trust(socket)
      admit(client)
    })
  }

  function admit(client: WebSocket): void {
    const state = { alive: true }
    clients.set(client, state)
    client.on('pong', () => (state.alive = true))
    client.once('close', () => clients.delete(client))
    client.send(acceptedFrame)
    const onOverflow = (): void => client.terminate()
    attach(socketTransport(client, { maxItems: maxListItems, maxBufferedBytes, onOverflow }))
  }

  const heartbeat = setInterval(() => {
    for (const [client, state] of clients) {
      if (state.alive) client.ping()
      else client.terminate()
      state.alive = false
    }
  }, heartbeatMs)
  heartbeat.unref()

  return () => {
    clearInterval(heartbeat)
    for (const client of clients.keys()) client.terminate()
    sockets.close()
  }
}
