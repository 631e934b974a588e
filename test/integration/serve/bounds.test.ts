// What a client may cost: size and shape of messages, number of sockets, patience with slow ones. After each
// attack a well-behaved client is still answered.
import fc from 'fast-check'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { WebSocket } from 'ws'
import { uploadChunkBytes } from '#shared/contract/datasets'
import { encodeFrame } from '#shared/rpc/codec'
import type { Message } from '#shared/rpc/message'
import { startServer } from '#main/serve/index'
import { maxPayloadBytes } from '#main/serve/socket'
import {
  admittedSocket,
  calls,
  closeCode,
  goodClient,
  lingering,
  newSocket,
  openSocket,
  rawRequest,
  requestText,
  startWorld,
  type World,
} from './world'

let world: World
const unhandled: unknown[] = []
const note = (thrown: unknown): void => void unhandled.push(thrown)

beforeEach(async () => {
  process.on('unhandledRejection', note)
  process.on('uncaughtException', note)
  world = await startWorld()
})

afterEach(async () => {
  vi.useRealTimers()
  await expectAnswered()
  await world.close()
  process.off('unhandledRejection', note)
  process.off('uncaughtException', note)
  expect(unhandled.splice(0)).toEqual([])
})

async function expectAnswered(): Promise<void> {
  const page = await rawRequest(world.port, requestText('GET', '/', { Host: `127.0.0.1:${world.port}` }))
  expect(page.status).toBe(200)
  const client = await goodClient(world)
  await expect(client.runs.list()).resolves.toBeDefined()
  client.close()
}

describe('messages', () => {
  it('takes a whole piece of an upload', async () => {
    const client = await goodClient(world)
    const data = new Uint8Array(uploadChunkBytes).fill(7)
    const path = 'x'.repeat(1024)
    await client.datasets.uploadChunk({ uploadId: 'u1', path, offset: 0, data })
    expect(world.reached).toEqual(['datasets.uploadChunk'])
    client.close()
  })

  it('closes on a message above the bound, in one frame or in many', async () => {
    const one = await admittedSocket(world)
    one.send(new Uint8Array(maxPayloadBytes + 1))
    expect(await closeCode(one)).toBe(1009)

    const many = await admittedSocket(world)
    const closed = closeCode(many)
    const piece = new Uint8Array(64 * 1024)
    for (let sent = 0; sent <= maxPayloadBytes; sent += piece.length) many.send(piece, { fin: false })
    expect(await closed).toBe(1009)
  })

  it('gives a stranger far less', async () => {
    const socket = await openSocket(world)
    const closed = closeCode(socket)
    socket.send('x'.repeat(4096))
    // In one piece it is refused as no token, in several the socket is cut off.
    expect([1006, 4401]).toContain(await closed)

    const slow = await openSocket(world)
    const ended = closeCode(slow)
    for (let sent = 0; sent < 64; sent++) slow.send('x'.repeat(32), { fin: false })
    expect(await ended).toBe(1006)
  })

  it.each<[string, (socket: WebSocket) => void]>([
    ['text', (socket) => socket.send('{"type":"call"}')],
    ['broken MessagePack', (socket) => socket.send(new Uint8Array([0xc1]))],
    ['nothing', (socket) => socket.send(new Uint8Array(0))],
    [
      'a list that claims to be huge',
      (socket) => socket.send(new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff])),
    ],
  ])('closes on %s after the token', async (_name, send) => {
    const socket = await admittedSocket(world)
    send(socket)
    expect(await closeCode(socket)).toBe(4400)
  })

  it('closes on a frame that breaks the WebSocket protocol', async () => {
    const socket = await admittedSocket(world)
    const closed = closeCode(socket)
    // An unmasked frame with a reserved opcode.
    ;(socket as unknown as { _socket: Socket })._socket.write(Buffer.from([0x83, 0x01, 0x00]))
    expect(await closed).toBe(1002)
  })

  it('survives 5,000 random messages', async () => {
    const target = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...calls.map(({ topic, name }) => ({ topic, name }))) },
      fc.record({ topic: fc.string(), name: fc.string() }),
      fc.constant({ topic: 'jobs', name: 'onChange' }),
    )
    const value = fc.oneof(
      fc.constant(undefined),
      fc.jsonValue(),
      fc.uint8Array(),
      fc.record(
        {
          id: fc.oneof(fc.constant('a1'), fc.string(), fc.jsonValue()),
          path: fc.oneof(fc.constantFrom('../../etc/passwd', '/', 'C:\\', '\0'), fc.string()),
          offset: fc.oneof(fc.integer(), fc.double()),
          name: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
    )
    const body = fc.record({
      type: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom('call', 'cancel', 'subscribe', 'unsubscribe') },
        fc.constantFrom('result', 'error', 'event', '', '__proto__'),
      ),
      id: fc.oneof({ weight: 8, arbitrary: fc.nat({ max: 50 }) }, fc.double(), fc.string()),
      value,
    })
    const shaped = fc.tuple(body, target).map(([fields, names]) => ({ ...fields, ...names }))
    const frame = fc.oneof(
      { weight: 40, arbitrary: shaped.map((message) => encodeFrame(message as unknown as Message)) },
      { weight: 4, arbitrary: fc.jsonValue().map((json) => encodeFrame(json as unknown as Message)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    )
    let socket = await admittedSocket(world)
    let closings = 0
    for (const bytes of fc.sample(frame, { seed: 2410, numRuns: 5000 })) {
      if (socket.readyState !== socket.OPEN) {
        closings++
        socket = await admittedSocket(world)
      }
      socket.send(bytes)
      // Now and then the server gets to read, so that closed sockets are noticed.
      if (bytes.length % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const last = await goodClient(world)
    await last.jobs.list()
    expect(closings).toBeGreaterThan(10)
    expect(new Set(world.reached).size).toBeGreaterThan(10)
    expect(world.reached.filter((line) => line.startsWith('unparsed'))).toEqual([])
    last.close()
    socket.terminate()
  })
})

describe('sockets', () => {
  it('pushes out idle strangers: 500 of them, while a client is answered', async () => {
    const client = await goodClient(world)
    const beginnings = ['', 'G', `GET / HTTP/1.1\r\nHost: 127.0.0.1:${world.port}\r\nX-Slow: `]
    const strangers: Socket[] = []
    for (let index = 0; index < 500; index++) {
      strangers.push(await lingering(world.port, beginnings[index % beginnings.length] ?? ''))
      if (index % 50 === 0) {
        await expectAnswered()
        await client.runs.list()
      }
    }
    await vi.waitFor(() => {
      expect(strangers.filter((socket) => !socket.closed).length).toBeLessThanOrEqual(128)
    })
    // The client that has shown the token is no stranger, however many come after it.
    await expect(client.runs.list()).resolves.toBeDefined()
    client.close()
    for (const socket of strangers) socket.destroy()
  })

  it('pushes out upgraded strangers the same way', async () => {
    const first = await openSocket(world)
    const closed = closeCode(first)
    const others = await Promise.all(Array.from({ length: 128 }, () => openSocket(world)))
    expect(await closed).toBe(1006)
    for (const socket of others) socket.terminate()
  })

  it('answers a request that never ends with 408, and gives up an upgrade that says nothing', async () => {
    const request = rawRequest(world.port, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${world.port}\r\n`)
    const silent = closeCode(await openSocket(world))
    const response = await request
    expect(response.status).toBe(408)
    expect(response.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    expect(await silent).toBe(4401)
  })

  it('has room for 32 windows, and again when one leaves', async () => {
    const windows = await Promise.all(Array.from({ length: 32 }, () => admittedSocket(world)))
    const late = newSocket(world)
    late.once('open', () => late.send(JSON.stringify({ token: world.token })))
    expect(await closeCode(late)).toBe(1013)
    const [first] = windows
    first?.close()
    await vi.waitFor(() => expect(world.clients).toBe(31))
    const next = await admittedSocket(world)
    for (const socket of [next, ...windows]) socket.terminate()
    await vi.waitFor(() => expect(world.clients).toBe(0))
  })

  it('ends with the server, also before the token was said', async () => {
    const socket = await openSocket(world)
    const closed = closeCode(socket)
    await world.close()
    // 4401 would mean that the server waited for its patience to end.
    expect(await closed).toBe(1006)
    world = await startWorld()
  })

  it('drops a client that no longer reads its events, and keeps the one that does', async () => {
    const slow = await admittedSocket(world)
    slow.send(encodeFrame({ type: 'subscribe', topic: 'runs', name: 'onRecord' }))
    const good = await goodClient(world)
    let heard = 0
    good.runs.onRecord(() => heard++)
    await good.runs.list()
    await vi.waitFor(() => expect(world.clients).toBe(2))
    slow.pause()
    const record = { text: 'x'.repeat(1024 * 1024) }
    let sent = 0
    while (world.clients === 2 && sent < 400) {
      world.emit('runs', 'onRecord', { id: 'r1', record } as never)
      sent++
      await vi.waitFor(() => expect(heard).toBe(sent))
    }
    expect(world.clients).toBe(1)
    expect(sent).toBeLessThan(100)
    await good.runs.list()
    slow.terminate()
    good.close()
  })

  it('drops a client that answers no ping', async () => {
    await world.close()
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    world = await startWorld()
    const dead = await admittedSocket(world, { autoPong: false })
    const alive = await admittedSocket(world)
    const lost = closeCode(dead)
    const pinged = new Promise((resolve) => alive.once('ping', resolve))
    vi.advanceTimersByTime(15_000)
    await pinged
    // The pong is on its way before this answer.
    alive.send(encodeFrame({ type: 'call', id: 1, topic: 'runs', name: 'list' }))
    await new Promise((resolve) => alive.once('message', resolve))
    vi.advanceTimersByTime(15_000)
    expect(await lost).toBe(1006)
    expect(alive.readyState).toBe(alive.OPEN)
    alive.terminate()
  })
})

describe('starting', () => {
  const service = { handlers: {} as never, bind: () => () => undefined }

  it('refuses any other interface', async () => {
    for (const host of ['0.0.0.0', '::', 'localhost', '192.168.1.2']) {
      await expect(
        startServer({ service, rendererFolder: world.folder, port: 0, host }),
      ).rejects.toMatchObject({ code: 'unsupported' })
    }
  })

  it('names a port in use', async () => {
    await expect(
      startServer({ service, rendererFolder: world.folder, port: world.port }),
    ).rejects.toMatchObject({ code: 'busy', message: `Port ${world.port} is in use.` })
  })

  it('says when the window is not built', async () => {
    await expect(
      startServer({ service, rendererFolder: `${world.folder}/nowhere`, port: 0 }),
    ).rejects.toMatchObject({ code: 'not-found' })
  })
})
