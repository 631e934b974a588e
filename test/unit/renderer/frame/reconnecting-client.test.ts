import { GyreError } from '#shared/contract/errors'
import { call, event } from '#shared/contract/define'
import { createHub, memoryPair, type Transport } from '#shared/rpc/index'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import {
  createReconnectingClient,
  type ReconnectingClient,
} from '../../../../src-renderer/api/reconnecting-client'

const contract = {
  echo: {
    say: call(z.string(), z.string()),
    hang: call(z.void(), z.void()),
    onNote: event(z.string()),
  },
} as const

function service(): {
  open: () => Promise<Transport>
  drop: () => void
  emit: (note: string) => void
  opened: () => number
} {
  const hub = createHub(contract, {
    echo: { say: (text) => `${text}!`, hang: () => new Promise<void>(() => undefined) },
  })
  let opened = 0
  return {
    open: () => {
      opened += 1
      const [near, far] = memoryPair()
      hub.attach(far)
      return Promise.resolve(near)
    },
    drop: () => hub.close(),
    emit: (note) => hub.emit('echo', 'onNote', note),
    opened: () => opened,
  }
}

describe('reconnecting client', () => {
  let made: ReconnectingClient<typeof contract> | undefined
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => {
    made?.close()
    vi.useRealTimers()
  })
  const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

  it('lets calls wait for the first connection', async () => {
    const { open } = service()
    made = createReconnectingClient(contract, open)
    expect(made.state).toBe('connecting')
    expect(await made.client.echo.say('hello')).toBe('hello!')
    expect(made.state).toBe('connected')
  })

  it('connects again after a loss and renews subscriptions', async () => {
    const far = service()
    made = createReconnectingClient(contract, far.open)
    const states: string[] = []
    made.onState((state) => states.push(state))
    const notes: string[] = []
    const stop = made.client.echo.onNote((note) => notes.push(note))
    await settle()
    far.emit('one')
    await settle()

    far.drop()
    await settle()
    expect(states).toEqual(['connected', 'reconnecting'])
    await vi.advanceTimersByTimeAsync(300)
    expect(made.state).toBe('connected')
    far.emit('two')
    await settle()
    stop()
    await settle()
    far.emit('three')
    await settle()
    expect(notes).toEqual(['one', 'two'])
  })

  it('fails calls under way with the loss, and calls between connections at once', async () => {
    const far = service()
    made = createReconnectingClient(contract, far.open)
    await settle()
    const hanging = expect(made.client.echo.hang()).rejects.toMatchObject({ code: 'disconnected' })
    await settle()
    far.drop()
    await hanging
    await settle()
    await expect(made.client.echo.say('x')).rejects.toMatchObject({ code: 'disconnected' })
    await vi.advanceTimersByTimeAsync(300)
    expect(await made.client.echo.say('x')).toBe('x!')
  })

  it('pauses longer after each failure, and not at all when asked', async () => {
    let attempts = 0
    made = createReconnectingClient(contract, () => {
      attempts += 1
      return Promise.reject(new GyreError('disconnected', 'nobody there'))
    })
    await settle()
    expect(attempts).toBe(1)
    await vi.advanceTimersByTimeAsync(300)
    expect(attempts).toBe(2)
    await vi.advanceTimersByTimeAsync(300)
    expect(attempts).toBe(2)
    await vi.advanceTimersByTimeAsync(300)
    expect(attempts).toBe(3)
    made.retry()
    await settle()
    expect(attempts).toBe(4)
  })

  it('gives up when it is refused', async () => {
    let attempts = 0
    made = createReconnectingClient(contract, () => {
      attempts += 1
      return Promise.reject(new GyreError('unauthorized', 'no'))
    })
    await expect(made.client.echo.say('x')).rejects.toMatchObject({ code: 'unauthorized' })
    expect(made.state).toBe('refused')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(attempts).toBe(1)
  })

  it('opens nothing more once it is closed', async () => {
    const far = service()
    made = createReconnectingClient(contract, far.open)
    await settle()
    made.close()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(far.opened()).toBe(1)
  })
})
