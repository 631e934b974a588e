// The calling side: turns a contract and a transport into functions and subscriptions. Inputs go out as
// they are (the serving side parses them); answers come back as they were sent.
import type { CallOptions, Client, ContractSpec } from '../contract/define'
import { GyreError } from '../contract/errors'
import { responseShape, type Transport } from './message'

export interface Connection {
  /** Resolves once the connection is over, whoever ended it. */
  readonly closed: Promise<void>
  close(): void
}

interface Pending {
  resolve(value: unknown): void
  reject(error: GyreError): void
}

type Listener = (value: unknown) => void

const disconnected = (): GyreError =>
  new GyreError('disconnected', 'The connection to Gyre was lost.', 'It will be tried again.')

/**
 * A client of `contract` over `transport`, plus `close` and `closed`. When the connection ends, calls under
 * way and later ones reject with `disconnected`, and subscriptions fall silent; make a new client then.
 */
export function createClient<C extends ContractSpec>(
  contract: C,
  transport: Transport,
): Client<C> & Connection {
  const pending = new Map<number, Pending>()
  const listeners = new Map<string, Set<Listener>>()
  let nextId = 0
  let open = true

  function invoke(topic: string, name: string, value: unknown, options: CallOptions = {}): Promise<unknown> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      if (!open || signal?.aborted) {
        reject(open ? cancelled() : disconnected())
        return
      }
      const id = nextId++
      const giveUp = (): void => {
        pending.delete(id)
        transport.send({ type: 'cancel', id })
        reject(cancelled())
      }
      const settled = (): void => {
        pending.delete(id)
        signal?.removeEventListener('abort', giveUp)
      }
      pending.set(id, {
        resolve: (answer) => {
          settled()
          resolve(answer)
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      })
      signal?.addEventListener('abort', giveUp, { once: true })
      try {
        transport.send({ type: 'call', id, topic, name, value })
      } catch (thrown) {
        settled()
        reject(
          new GyreError('invalid-input', `${topic}.${name} can't be sent.`, undefined, { cause: thrown }),
        )
      }
    })
  }

  function subscribe(topic: string, name: string, listener: Listener): () => void {
    const key = `${topic}.${name}`
    const set = listeners.get(key) ?? new Set()
    // Each subscription is its own, even when the same function subscribes twice.
    const own: Listener = (value) => listener(value)
    listeners.set(key, set)
    set.add(own)
    if (set.size === 1) transport.send({ type: 'subscribe', topic, name })
    return () => {
      if (set.delete(own) && set.size === 0) transport.send({ type: 'unsubscribe', topic, name })
    }
  }

  transport.onMessage((raw) => {
    const parsed = responseShape.safeParse(raw)
    if (!parsed.success) return
    const message = parsed.data
    switch (message.type) {
      case 'result':
        pending.get(message.id)?.resolve(message.value)
        break
      case 'error':
        pending.get(message.id)?.reject(GyreError.fromShape(message.error))
        break
      case 'event':
        for (const listener of [...(listeners.get(`${message.topic}.${message.name}`) ?? [])]) {
          notify(listener, message.value)
        }
        break
    }
  })

  const closed = new Promise<void>((resolve) => {
    transport.onClose(() => {
      open = false
      for (const call of [...pending.values()]) call.reject(disconnected())
      listeners.clear()
      resolve()
    })
  })

  const topics: Record<string, Record<string, unknown>> = {}
  for (const [topic, members] of Object.entries(contract)) {
    const functions: Record<string, unknown> = {}
    for (const [name, spec] of Object.entries(members)) {
      functions[name] =
        spec.kind === 'call'
          ? (value?: unknown, options?: CallOptions) => invoke(topic, name, value, options)
          : (listener: Listener) => subscribe(topic, name, listener)
    }
    topics[topic] = functions
  }
  // The loop above follows the contract member by member, which the compiler can't see.
  return { ...(topics as unknown as Client<C>), closed, close: () => transport.close() }
}

const cancelled = (): GyreError => new GyreError('cancelled', 'Cancelled.')

/** A listener that throws must neither keep the others from hearing nor end the process. */
function notify(listener: Listener, value: unknown): void {
  try {
    listener(value)
  } catch (thrown) {
    console.error(thrown)
  }
}
