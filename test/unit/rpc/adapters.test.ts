// What every transport must carry and do, run over each adapter with a small contract.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { bytes, floats, ints } from '#shared/contract/common'
import { call, event, type CallContext, type Client, type Handlers } from '#shared/contract/define'
import { GyreError } from '#shared/contract/errors'
import { createClient, type Connection } from '#shared/rpc/client'
import { serve, type Served } from '#shared/rpc/server'
import { adapters, type Joined } from './transports'

const arrays = z.object({ bytes, ints, floats, empty: ints })

const testContract = {
  work: {
    double: call(z.object({ value: z.number() }), z.number()),
    nothing: call(z.void(), z.void()),
    mirror: call(z.object({ value: z.unknown().optional() }), z.unknown()),
    arrays: call(arrays, arrays),
    fail: call(z.void(), z.void()),
    crash: call(z.void(), z.void()),
    wait: call(z.void(), z.void()),
    unsendable: call(z.void(), z.unknown()),
    onTick: event(z.number()),
    onOther: event(z.string()),
  },
} as const

describe.each(Object.entries(adapters))('over %s', (_name, join) => {
  let joined: Joined
  let client: Client<typeof testContract> & Connection
  let served: Served<typeof testContract>
  let waiting: CallContext[]

  beforeEach(async () => {
    joined = await join()
    waiting = []
    const handlers: Handlers<typeof testContract> = {
      work: {
        double: ({ value }) => value * 2,
        nothing: () => undefined,
        mirror: ({ value }) => value,
        arrays: (value) => value,
        fail: () => {
          throw new GyreError('no-space', 'The disk is full.', 'Free 2 GB.')
        },
        crash: () => Promise.reject(new TypeError('x is not a function')),
        wait: (_input, context) => {
          waiting.push(context)
          return new Promise<undefined>((_resolve, reject) => {
            context.signal.addEventListener('abort', () => reject(new Error('given up')))
          })
        },
        unsendable: () => () => 1,
      },
    }
    served = serve(testContract, handlers, joined.server, { connectionId: 'c7' })
    client = createClient(testContract, joined.client)
  })

  afterEach(async () => {
    client.close()
    await joined.release()
  })

  it('answers calls, many at a time', async () => {
    const values = Array.from({ length: 200 }, (_, index) => index)
    expect(await Promise.all(values.map((value) => client.work.double({ value })))).toEqual(
      values.map((value) => value * 2),
    )
    await expect(client.work.nothing()).resolves.toBeUndefined()
  })

  it('carries structured values unchanged', async () => {
    const value = {
      text: 'naïve 🌀\u0000',
      list: [1, -1, 0.1, 2 ** 40, Number.MAX_SAFE_INTEGER, 1e300, null, [], {}],
      nested: { null: null, false: false, empty: '' },
    }
    expect(await client.work.mirror({ value })).toStrictEqual(value)
    expect(await client.work.mirror({ value: { value: NaN } })).toEqual({ value: NaN })
    expect(await client.work.mirror({ value: null })).toBeNull()
    expect(await client.work.mirror({ value: undefined })).toBeUndefined()
    const sparse = (await client.work.mirror({ value: { there: 1, absent: undefined } })) as {
      absent?: unknown
    }
    expect(sparse.absent).toBeUndefined()
  })

  it('carries typed arrays as what they are, also from an odd offset', async () => {
    const buffer = Uint8Array.from({ length: 64 }, (_, index) => index * 3).buffer
    const value = {
      bytes: new Uint8Array(buffer, 3, 7),
      ints: new Int32Array([0, -1, 2 ** 31 - 1, -(2 ** 31)]),
      floats: new Float32Array([0.1, -0, Infinity, NaN]).subarray(1),
      empty: new Int32Array(0),
    }
    const back = await client.work.arrays(value)
    expect(back.bytes).toBeInstanceOf(Uint8Array)
    expect(Array.from(back.bytes)).toEqual(Array.from(value.bytes))
    expect(back.ints).toStrictEqual(value.ints)
    expect(back.floats).toStrictEqual(value.floats)
    expect(back.empty).toStrictEqual(value.empty)
  })

  it('sends errors with code, message and hint', async () => {
    await expect(client.work.fail()).rejects.toMatchObject({
      code: 'no-space',
      message: 'The disk is full.',
      hint: 'Free 2 GB.',
    })
    await expect(client.work.crash()).rejects.toMatchObject({
      code: 'internal',
      message: 'x is not a function',
    })
    await expect(client.work.unsendable()).rejects.toBeInstanceOf(GyreError)
    expect(await client.work.double({ value: 4 })).toBe(8)
  })

  it('parses inputs on the serving side and names the field', async () => {
    const wrong = { value: 'four' } as unknown as { value: number }
    await expect(client.work.double(wrong)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('work.double: value:') as string,
    })
  })

  it('cancels by signal', async () => {
    const controller = new AbortController()
    const answer = client.work.wait(undefined, { signal: controller.signal })
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    const aborted = new Promise((resolve) => waiting[0]?.signal.addEventListener('abort', resolve))
    controller.abort()
    await expect(answer).rejects.toMatchObject({ code: 'cancelled' })
    await aborted
    expect(waiting[0]?.connectionId).toBe('c7')
    await expect(client.work.wait(undefined, { signal: controller.signal })).rejects.toMatchObject({
      code: 'cancelled',
    })
    expect(waiting).toHaveLength(1)
  })

  it('sends events to subscribers only, in order, until they unsubscribe', async () => {
    const ticks: number[] = []
    const first = client.work.onTick((value) => ticks.push(value))
    const second = client.work.onTick((value) => ticks.push(value * 100))
    client.work.onOther(() => ticks.push(-1))
    await client.work.nothing()
    served.emit('work', 'onTick', 1)
    served.emit('work', 'onTick', 2)
    await client.work.nothing()
    expect(ticks).toEqual([1, 100, 2, 200])
    first()
    served.emit('work', 'onTick', 3)
    await client.work.nothing()
    second()
    second()
    await client.work.nothing()
    served.emit('work', 'onTick', 4)
    await client.work.nothing()
    expect(ticks).toEqual([1, 100, 2, 200, 300])
  })

  it('lets a listener that throws not silence the others', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const heard: number[] = []
    client.work.onTick(() => {
      throw new Error('broken view')
    })
    client.work.onTick((value) => heard.push(value))
    await client.work.nothing()
    served.emit('work', 'onTick', 5)
    await client.work.nothing()
    expect(heard).toEqual([5])
    expect(log).toHaveBeenCalledOnce()
    log.mockRestore()
  })

  it('rejects what is pending, and what comes later, when the server goes', async () => {
    const pending = client.work.wait()
    const seen = expect(pending).rejects.toMatchObject({ code: 'disconnected' })
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    served.dispose()
    await seen
    await client.closed
    await expect(client.work.nothing()).rejects.toMatchObject({ code: 'disconnected' })
    expect(waiting[0]?.signal.aborted).toBe(true)
  })

  it('aborts the calls of a client that goes away', async () => {
    const pending = client.work.wait()
    const seen = expect(pending).rejects.toMatchObject({ code: 'disconnected' })
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    const aborted = new Promise((resolve) => waiting[0]?.signal.addEventListener('abort', resolve))
    client.close()
    await seen
    await aborted
    served.emit('work', 'onTick', 1)
  })
})
