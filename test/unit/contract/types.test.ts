// The types that follow from a contract: a consumer and a provider can neither miss nor invent a member.
// `expectTypeOf` and `@ts-expect-error` are checked by `tsc`, the values by vitest.
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import {
  call,
  event,
  type CallContext,
  type CallOptions,
  type CallSpec,
  type Client,
} from '#shared/contract/define'
import type { Emit, EventSpec, Handlers } from '#shared/contract/define'
import { contract, type GyreClient, type GyreHandlers } from '#shared/contract/index'

const shop = {
  shop: {
    buy: call(z.object({ count: z.int().default(1) }), z.object({ total: z.number() })),
    open: call(z.void(), z.boolean()),
    onSale: event(z.object({ percent: z.number() })),
  },
} as const
type Small = typeof shop

describe('Client', () => {
  it('tells calls from events', () => {
    expect([shop.shop.buy.kind, shop.shop.onSale.kind]).toEqual(['call', 'event'])
  })

  it('takes the input before parsing and gives the output after it', () => {
    type Shop = Client<Small>['shop']
    expectTypeOf<Shop['buy']>().parameters.toEqualTypeOf<[input: { count?: number }, options?: CallOptions]>()
    expectTypeOf<Shop['buy']>().returns.toEqualTypeOf<Promise<{ total: number }>>()
    expectTypeOf<Shop['open']>().toBeCallableWith()
    expectTypeOf<Shop['onSale']>().returns.toEqualTypeOf<() => void>()
    expectTypeOf<Parameters<Parameters<Shop['onSale']>[0]>>().toEqualTypeOf<[payload: { percent: number }]>()
    // @ts-expect-error a call needs its input
    expectTypeOf<Shop['buy']>().toBeCallableWith()
  })

  it('has every topic of the contract', () => {
    expectTypeOf<keyof GyreClient>().toEqualTypeOf<keyof typeof contract>()
  })
})

describe('Handlers', () => {
  it('hold one function per call and none per event', () => {
    type Shop = Handlers<Small>['shop']
    expectTypeOf<keyof Shop>().toEqualTypeOf<'buy' | 'open'>()
    expectTypeOf<Shop['buy']>().parameters.toEqualTypeOf<[input: { count: number }, context: CallContext]>()
    // @ts-expect-error a missing call
    const missing: Handlers<Small> = { shop: { open: () => true } }
    // @ts-expect-error a call that is not in the contract
    const surplus: Handlers<Small> = { shop: { open: () => true, buy: () => ({ total: 1 }), rob: () => 1 } }
    expect([missing, surplus]).toHaveLength(2)
  })

  it('have every topic of the contract', () => {
    expectTypeOf<keyof GyreHandlers>().toEqualTypeOf<keyof typeof contract>()
  })
})

describe('Emit', () => {
  it('knows the payload of each event', () => {
    const emit: Emit<Small> = () => undefined
    emit('shop', 'onSale', { percent: 5 })
    // @ts-expect-error wrong payload
    emit('shop', 'onSale', { percent: '5' })
    // @ts-expect-error a call is no event
    emit('shop', 'buy', { percent: 5 })
  })
})

describe('the contract', () => {
  const members = Object.entries(contract).flatMap(([topic, specs]) =>
    Object.entries<CallSpec | EventSpec>(specs).map(([name, spec]) => ({
      name: `${topic}.${name}`,
      member: name,
      kind: spec.kind,
    })),
  )

  it.each(members)('names $name after its kind', ({ member, kind }) => {
    expect(/^on[A-Z]/.test(member)).toBe(kind === 'event')
  })

  it('keeps clear of the names a client adds', () => {
    expect(Object.keys(contract)).not.toContain('close')
    expect(Object.keys(contract)).not.toContain('closed')
    expect(Object.keys(contract)).not.toContain('then')
  })
})
