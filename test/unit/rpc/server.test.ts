// The serving side against a peer that does not keep to the protocol, and the hub.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { call, event, type Handlers } from '#shared/contract/define'
import { createClient } from '#shared/rpc/client'
import { createHub } from '#shared/rpc/hub'
import { memoryPair } from '#shared/rpc/memory'
import type { Message, Transport } from '#shared/rpc/message'
import { serve } from '#shared/rpc/server'

const contract = {
  shop: {
    buy: call(z.object({ count: z.int() }), z.int()),
    wait: call(z.void(), z.void()),
    onSale: event(z.int()),
  },
} as const

const handlers: Handlers<typeof contract> = {
  shop: { buy: ({ count }) => count, wait: () => new Promise(() => undefined) },
}

/** A peer that sends whatever it likes and keeps what it hears. */
function rawPeer(maxCalls?: number): {
  send(message: unknown): void
  heard: unknown[]
  settle(): Promise<void>
} {
  const [peer, server] = memoryPair()
  serve(contract, handlers, server, { connectionId: 'c1', maxCalls })
  const heard: unknown[] = []
  peer.onMessage((message) => heard.push(message))
  return {
    send: (message) => peer.send(message as Message),
    heard,
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

describe('serve', () => {
  it.each([
    ['unknown topic', 'bank', 'buy'],
    ['unknown call', 'shop', 'steal'],
    ['an event called', 'shop', 'onSale'],
    ['inherited topic', '__proto__', 'toString'],
    ['inherited topic', 'constructor', 'keys'],
    ['inherited call', 'shop', 'constructor'],
    ['inherited call', 'shop', 'hasOwnProperty'],
  ])('answers %s (%s.%s) with an error', async (_what, topic, name) => {
    const peer = rawPeer()
    peer.send({ type: 'call', id: 3, topic, name, value: {} })
    await peer.settle()
    expect(peer.heard).toMatchObject([{ type: 'error', id: 3, error: { code: 'not-found' } }])
  })

  it('ignores what is no request, and still answers', async () => {
    const peer = rawPeer()
    const json = fc.sample(fc.jsonValue(), { numRuns: 500, seed: 11 })
    const near = fc.sample(
      fc.record({
        type: fc.constantFrom('call', 'cancel', 'subscribe', 'unsubscribe', 'result', 'event', 'x'),
        id: fc.oneof(fc.integer({ min: -5, max: -1 }), fc.string(), fc.constant(NaN)),
        topic: fc.constantFrom('shop', '__proto__', 7),
        name: fc.oneof(fc.string({ minLength: 101, maxLength: 200 }), fc.constant({})),
      }),
      { numRuns: 500, seed: 12 },
    )
    for (const message of [...json, ...near]) peer.send(message)
    peer.send({ type: 'call', id: 1, topic: 'shop', name: 'buy', value: { count: 2 } })
    await peer.settle()
    expect(peer.heard).toEqual([{ type: 'result', id: 1, value: 2 }])
  })

  it('refuses more calls at a time than it may run', async () => {
    const peer = rawPeer(2)
    for (const id of [1, 2, 3]) peer.send({ type: 'call', id, topic: 'shop', name: 'wait' })
    await peer.settle()
    expect(peer.heard).toMatchObject([{ type: 'error', id: 3, error: { code: 'busy' } }])
    peer.send({ type: 'cancel', id: 1 })
    peer.send({ type: 'call', id: 4, topic: 'shop', name: 'buy', value: { count: 9 } })
    await peer.settle()
    expect(peer.heard.at(-1)).toEqual({ type: 'result', id: 4, value: 9 })
  })

  it('answers a reused id of a running call once', async () => {
    const peer = rawPeer()
    peer.send({ type: 'call', id: 1, topic: 'shop', name: 'wait' })
    peer.send({ type: 'call', id: 1, topic: 'shop', name: 'buy', value: { count: 1 } })
    await peer.settle()
    expect(peer.heard).toEqual([])
  })
})

describe('createHub', () => {
  it('sends an event to every subscribed client and forgets those that left', async () => {
    const hub = createHub(contract, handlers)
    const join = (): Transport => {
      const [client, server] = memoryPair()
      hub.attach(server)
      return client
    }
    const clients = [join(), join(), join()].map((transport) => createClient(contract, transport))
    const heard: string[] = []
    for (const [index, client] of clients.slice(0, 2).entries()) {
      client.shop.onSale((value) => heard.push(`${index}:${value}`))
      await client.shop.buy({ count: 1 })
    }
    hub.emit('shop', 'onSale', 10)
    await clients[0]?.shop.buy({ count: 1 })
    expect(heard).toEqual(['0:10', '1:10'])
    expect(hub.connections).toBe(3)

    clients[0]?.close()
    await clients[1]?.shop.buy({ count: 1 })
    expect(hub.connections).toBe(2)
    hub.close()
    await Promise.all(clients.map((client) => client.closed))
    expect(hub.connections).toBe(0)
  })
})
