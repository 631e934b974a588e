// What travels between the two ends of an RPC, and the small surface a transport must have. Knows no
// contract and no medium: adapters move `Message`s, `client.ts` and `server.ts` give them meaning.
import { z } from 'zod'
import { errorShape } from '../contract/errors'

const id = z.int().min(0)
const name = z.string().max(100)
const value = z.unknown().optional()

/** A caller's messages: `cancel` gives a call up, `unsubscribe` an event. */
export const requestShape = z.discriminatedUnion('type', [
  z.object({ type: z.literal('call'), id, topic: name, name, value }),
  z.object({ type: z.literal('cancel'), id }),
  z.object({ type: z.literal('subscribe'), topic: name, name }),
  z.object({ type: z.literal('unsubscribe'), topic: name, name }),
])

/** The serving side's messages. */
export const responseShape = z.discriminatedUnion('type', [
  z.object({ type: z.literal('result'), id, value }),
  z.object({ type: z.literal('error'), id, error: errorShape }),
  z.object({ type: z.literal('event'), topic: name, name, value }),
])

export type Request = z.infer<typeof requestShape>
export type Response = z.infer<typeof responseShape>
export type Message = Request | Response

/**
 * Moves messages in order. Values are plain objects, strings, numbers, null, undefined properties,
 * Uint8Array, Int32Array and Float32Array. What arrives is `unknown`: the other end may be hostile.
 * Messages and a close that come before the first listener are kept for it.
 */
export interface Transport {
  /** Throws when the message can't be sent as it is; does nothing once closed. */
  send(message: Message): void
  onMessage(listener: (message: unknown) => void): void
  /** Called once, whichever side closed. */
  onClose(listener: () => void): void
  close(): void
}

export interface TransportEnd {
  transport: Transport
  /** The adapter tells what arrived. */
  receive: (message: unknown) => void
  /** The adapter tells that the medium is gone. */
  ended: () => void
}

/** The bookkeeping every adapter needs: early messages kept, one close, silence after it. */
export function makeTransport(medium: { send(message: Message): void; close(): void }): TransportEnd {
  let listener: ((message: unknown) => void) | undefined
  let early: unknown[] = []
  let closed = false
  const closeListeners: (() => void)[] = []

  const ended = (): void => {
    if (closed) return
    closed = true
    early = []
    for (const notify of closeListeners.splice(0)) notify()
  }

  return {
    receive(message) {
      if (closed) return
      if (listener) listener(message)
      else early.push(message)
    },
    ended,
    transport: {
      send(message) {
        if (!closed) medium.send(message)
      },
      onMessage(next) {
        listener = next
        for (const message of early.splice(0)) next(message)
      },
      onClose(notify) {
        if (closed) notify()
        else closeListeners.push(notify)
      },
      close() {
        if (closed) return
        medium.close()
        ended()
      },
    },
  }
}
