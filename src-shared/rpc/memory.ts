// Two transports joined in memory, for tests and for a service in the same process. Messages are cloned,
// as every other medium does, and arrive in a later microtask, in order.
import { makeTransport, type Message, type Transport, type TransportEnd } from './message'

/** The two ends of one connection; closing either ends both. */
export function memoryPair(): [Transport, Transport] {
  const ends: [TransportEnd, TransportEnd] = [end(1), end(0)]

  function end(other: 0 | 1): TransportEnd {
    return makeTransport({
      send(message: Message) {
        const copy: unknown = structuredClone(message)
        queueMicrotask(() => ends[other].receive(copy))
      },
      close() {
        queueMicrotask(() => ends[other].ended())
      },
    })
  }

  return [ends[0].transport, ends[1].transport]
}
