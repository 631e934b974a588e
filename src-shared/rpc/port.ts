// Transports over message ports: the DOM's MessagePort, Node's MessagePort, `parentPort` and Worker.
// Types are structural, so that this file needs neither DOM nor Node.
import { makeTransport, type Transport } from './message'

/** A MessagePort of a page or a web worker. */
export interface DomPort {
  postMessage(message: unknown): void
  addEventListener(type: string, listener: (event: object) => void): void
  start(): void
  close(): void
}

/** Node's MessagePort, `parentPort` or Worker; a Worker ends by its exit. */
export interface NodePort {
  postMessage(message: unknown): void
  on(type: 'message', listener: (message: unknown) => void): unknown
  on(type: 'close' | 'exit' | 'messageerror', listener: () => void): unknown
  close?(): void
}

/** Over a DOM MessagePort. Starts the port. */
export function portTransport(port: DomPort): Transport {
  const { transport, receive, ended } = makeTransport({
    send: (message) => port.postMessage(message),
    close: () => port.close(),
  })
  port.addEventListener('message', (event) => receive('data' in event ? event.data : undefined))
  port.addEventListener('close', ended)
  port.start()
  return transport
}

/**
 * Over a Node port. Listening keeps the process alive until the port closes. Closing a transport over a
 * Worker only stops talking to it: whoever made the Worker terminates it.
 */
export function nodePortTransport(port: NodePort): Transport {
  const { transport, receive, ended } = makeTransport({
    send: (message) => port.postMessage(message),
    close: () => port.close?.(),
  })
  port.on('message', receive)
  port.on('close', ended)
  port.on('exit', ended)
  return transport
}
