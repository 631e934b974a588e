// A transport over a WebSocket (the DOM's or `ws`): each message is one binary MessagePack frame. The token
// is said before, in the first text frame: see `handshake.ts`. A frame that is no message ends the socket.
import { decodeFrame, encodeFrame } from './codec'
import { makeTransport, type Message, type Transport } from './message'

export interface SocketLike {
  binaryType: string
  readonly bufferedAmount: number
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'message' | 'close', listener: (event: object) => void): void
}

export interface SocketOptions {
  /** Longest list accepted from the other end. */
  maxItems?: number
  /** Called instead of sending when a message finds more than its share still waiting. */
  onOverflow?: () => void
  /** Bytes that may wait before an event / anything is sent. */
  maxBufferedBytes?: { event: number; any: number }
}

/** The code with which a peer that speaks no RPC is closed. */
export const protocolErrorCode = 4400

/** Over an open socket, from its next frame on. */
export function socketTransport(socket: SocketLike, options: SocketOptions = {}): Transport {
  const { maxItems, onOverflow, maxBufferedBytes: limits } = options

  const overflows = (message: Message): boolean =>
    limits !== undefined && socket.bufferedAmount > (message.type === 'event' ? limits.event : limits.any)

  const { transport, receive, ended } = makeTransport({
    send(message) {
      if (onOverflow && overflows(message)) onOverflow()
      else socket.send(encodeFrame(message))
    },
    close: () => socket.close(1000),
  })

  socket.binaryType = 'arraybuffer'
  socket.addEventListener('message', (event) => {
    const data: unknown = 'data' in event ? event.data : undefined
    let message: unknown
    try {
      if (!(data instanceof ArrayBuffer)) throw new TypeError('not a binary frame')
      message = decodeFrame(data, maxItems)
    } catch {
      socket.close(protocolErrorCode, 'not a message')
      ended()
      return
    }
    receive(message)
  })
  socket.addEventListener('close', ended)
  return transport
}
