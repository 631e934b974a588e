// A running server with a window of a few files, a service that notes every call that reaches it, and raw
// clients that send exactly what they are told.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket, type ClientOptions } from 'ws'
import type { CallSpec, EventSpec } from '#shared/contract/define'
import { contract, type GyreClient, type GyreEmit, type GyreHandlers } from '#shared/contract/index'
import { createClient, type Connection } from '#shared/rpc/client'
import { openSocketTransport } from '#shared/rpc/handshake'
import { startServer, type RunningServer } from '#main/serve/index'

export interface World extends RunningServer {
  /** Calls that reached the service: `topic.name`. */
  reached: string[]
  emit: GyreEmit
  folder: string
}

export const calls = Object.entries(contract).flatMap(([topic, members]) =>
  Object.entries<CallSpec | EventSpec>(members).flatMap(([name, spec]) =>
    spec.kind === 'call' ? [{ topic, name, spec }] : [],
  ),
)

/** Answers every call of the contract with `{ topic, name }`, and notes it. */
function recordingHandlers(reached: string[]): GyreHandlers {
  const table: Record<string, Record<string, (input: unknown) => unknown>> = {}
  for (const { topic, name, spec } of calls) {
    const members = (table[topic] ??= {})
    members[name] = (input) => {
      reached.push(`${topic}.${name}`)
      if (!spec.input.safeParse(input).success) reached.push(`unparsed input at ${topic}.${name}`)
      return { topic, name }
    }
  }
  return table as unknown as GyreHandlers
}

export async function startWorld(): Promise<World> {
  const outer = await mkdtemp(join(tmpdir(), 'gyre-serve-'))
  const folder = join(outer, 'renderer')
  await mkdir(join(folder, 'assets'), { recursive: true })
  await writeFile(join(outer, 'secret.txt'), 'outside')
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Gyre</title>')
  await writeFile(join(folder, 'assets', 'index-B1x.js'), 'export {}')
  await writeFile(join(folder, 'assets', 'index-B1x.css'), 'body{}')
  await writeFile(join(folder, 'assets', 'index-B1x.js.map'), '{}')
  await symlink(join(outer, 'secret.txt'), join(folder, 'link.txt'))

  const reached: string[] = []
  let emit: GyreEmit = () => undefined
  const server = await startServer({
    service: {
      handlers: recordingHandlers(reached),
      bind: (bound) => {
        emit = bound
        return () => (emit = () => undefined)
      },
    },
    rendererFolder: folder,
    port: 0,
  })
  const send: GyreEmit = (topic, name, payload) => emit(topic, name, payload)
  return {
    ...server,
    // The spread would keep the count of this moment.
    get clients() {
      return server.clients
    },
    reached,
    folder,
    emit: send,
    close: async () => {
      await server.close()
      await rm(outer, { recursive: true, force: true })
    },
  }
}

export interface RawResponse {
  status: number
  headers: Record<string, string>
  body: string
  /** Everything that came, as text. */
  text: string
}

/** Sends text on a bare socket and reads until the server ends it or `Content-Length` is there. */
export function rawRequest(port: number, text: string): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'))
    let received = ''
    const finish = (): void => {
      socket.destroy()
      resolve(parseResponse(received))
    }
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      received += chunk
      // An accepted upgrade stays open: its head is all there is to read.
      if (received.startsWith('HTTP/1.1 101') && received.includes('\r\n\r\n')) finish()
    })
    socket.on('end', finish)
    socket.on('error', (error) => (received ? finish() : reject(error)))
  })
}

function parseResponse(text: string): RawResponse {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [first = '', ...lines] = head.split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { status: Number(first.split(' ')[1]), headers, body: rest.join('\r\n\r\n'), text }
}

/** A request with `Connection: close`; undefined headers are left out. */
export function requestText(
  method: string,
  target: string,
  headers: Record<string, string | undefined>,
): string {
  const all: Record<string, string | undefined> = { Connection: 'close', ...headers }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return [`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}

export function upgradeText(headers: Record<string, string | undefined>, target = '/rpc'): string {
  return requestText('GET', target, {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  })
}

/** A socket from our own origin that has said nothing yet. */
export async function openSocket(world: RunningServer, options: ClientOptions = {}): Promise<WebSocket> {
  const socket = newSocket(world, options)
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return socket
}

export function newSocket(world: RunningServer, options: ClientOptions = {}): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${world.port}/rpc`, {
    origin: `http://127.0.0.1:${world.port}`,
    perMessageDeflate: false,
    ...options,
  })
  socket.on('error', () => undefined)
  return socket
}

/** A socket that has been admitted, speaking frames by hand. */
export async function admittedSocket(world: RunningServer, options: ClientOptions = {}): Promise<WebSocket> {
  const socket = await openSocket(world, options)
  const accepted = new Promise<string>((resolve) =>
    socket.once('message', (data: Buffer) => resolve(data.toString())),
  )
  socket.send(JSON.stringify({ token: world.token }))
  if ((await accepted) !== '{"ok":true}') throw new Error('not admitted')
  return socket
}

export function closeCode(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => socket.once('close', resolve))
}

export async function goodClient(world: RunningServer): Promise<GyreClient & Connection> {
  return createClient(contract, await openSocketTransport(newSocket(world), world.token))
}

/** A bare connection that sends `text` and then nothing. */
export function lingering(port: number, text: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text)
      resolve(socket)
    })
    socket.on('error', () => undefined)
    socket.resume()
  })
}
