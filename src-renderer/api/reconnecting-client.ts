// One client that outlives its connections: opens a transport, and when it is lost opens the next with
// growing pauses. Subscriptions are kept and renewed; calls under way when a connection ends fail with
// `disconnected`. Knows no WebSocket and no Electron.
import type { Client, ContractSpec } from '#shared/contract/define'
import { GyreError, toGyreError } from '#shared/contract/errors'
import { createClient } from '#shared/rpc/client'
import type { Transport } from '#shared/rpc/message'

export type ConnectionState = 'connecting' | 'connected' | 'reconnecting' | 'refused'

export interface ReconnectingClient<C extends ContractSpec> {
  client: Client<C>
  readonly state: ConnectionState
  onState(listener: (state: ConnectionState) => void): void
  /** Tries at once instead of waiting for the next attempt. */
  retry(): void
  close(): void
}

type AnyMember = (...values: unknown[]) => unknown
type AnyClient = Record<string, Record<string, AnyMember>>

interface Subscription {
  topic: string
  name: string
  listener: (payload: unknown) => void
  stop: (() => void) | undefined
}

const pausesMs = [300, 600, 1200, 2500, 5000]

/** @param open Opens one transport; rejecting with `unauthorized` ends the attempts. */
export function createReconnectingClient<C extends ContractSpec>(
  contract: C,
  open: () => Promise<Transport>,
): ReconnectingClient<C> {
  let state: ConnectionState = 'connecting'
  let live: AnyClient | undefined
  let hangUp: (() => void) | undefined
  let attempt = 0
  let stopped = false
  let wake: (() => void) | undefined
  const stateListeners: ((state: ConnectionState) => void)[] = []
  const subscriptions = new Set<Subscription>()
  const waiting: { resolve: (client: AnyClient) => void; reject: (error: GyreError) => void }[] = []

  function become(next: ConnectionState): void {
    state = next
    for (const listener of stateListeners) listener(next)
  }

  function subscribe(entry: Subscription): void {
    entry.stop = live?.[entry.topic]?.[entry.name]?.(entry.listener) as (() => void) | undefined
  }

  async function run(): Promise<void> {
    while (!stopped) {
      try {
        const connection = createClient(contract, await open())
        live = connection
        hangUp = () => connection.close()
        attempt = 0
        for (const entry of subscriptions) subscribe(entry)
        for (const call of waiting.splice(0)) call.resolve(live)
        become('connected')
        await connection.closed
        live = undefined
        for (const entry of subscriptions) entry.stop = undefined
      } catch (thrown) {
        const error = toGyreError(thrown)
        if (error.code === 'unauthorized') {
          for (const call of waiting.splice(0)) call.reject(error)
          become('refused')
          return
        }
      }
      if (isStopped()) return
      // The first attempt may find a service that is still starting: its calls go on waiting.
      if (state === 'connected') become('reconnecting')
      const pauseMs = pausesMs[Math.min(attempt, pausesMs.length - 1)] ?? 5000
      attempt += 1
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  // A function, because the compiler does not see that `close` runs during an await.
  const isStopped = (): boolean => stopped

  function current(): Promise<AnyClient> {
    if (live) return Promise.resolve(live)
    if (state === 'connecting') return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    return Promise.reject(
      new GyreError('disconnected', 'Gyre is not connected at the moment.', 'It is trying again by itself.'),
    )
  }

  const topics: AnyClient = {}
  for (const [topic, members] of Object.entries(contract)) {
    const functions: Record<string, AnyMember> = {}
    for (const [name, spec] of Object.entries(members)) {
      functions[name] =
        spec.kind === 'call'
          ? async (value?: unknown, options?: unknown) => (await current())[topic]?.[name]?.(value, options)
          : (listener: unknown) => {
              const entry: Subscription = {
                topic,
                name,
                listener: listener as Subscription['listener'],
                stop: undefined,
              }
              subscriptions.add(entry)
              subscribe(entry)
              return () => {
                subscriptions.delete(entry)
                entry.stop?.()
              }
            }
    }
    topics[topic] = functions
  }

  void run()

  return {
    // Built member by member from the contract, which the compiler can't see.
    client: topics as unknown as Client<C>,
    get state() {
      return state
    },
    onState: (listener) => void stateListeners.push(listener),
    retry: () => wake?.(),
    close() {
      stopped = true
      wake?.()
      hangUp?.()
    },
  }
}
