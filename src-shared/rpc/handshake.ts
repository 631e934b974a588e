// The first words on a WebSocket of `gyre serve`: the client sends the text frame {"token": "…"}, the
// server answers {"ok":true} or closes with 4401. After that come binary frames.
import { z } from 'zod'
import { GyreError } from '../contract/errors'
import type { Transport } from './message'
import { socketTransport, type SocketLike } from './socket'

/** Close code of a connection whose token, or patience, was not good enough. */
export const refusedCode = 4401

/** Longest first frame the server reads. */
export const maxHelloBytes = 256

const hello = z.strictObject({ token: z.string().max(128) })

export const acceptedFrame = JSON.stringify({ ok: true })

/** The token of a first frame, or undefined when it is anything else. */
export function readHello(text: string): string | undefined {
  if (text.length > maxHelloBytes) return undefined
  try {
    return hello.parse(JSON.parse(text)).token
  } catch {
    return undefined
  }
}

export interface OpeningSocket extends SocketLike {
  readonly readyState: number
  addEventListener(
    type: 'open' | 'message' | 'close' | 'error',
    listener: (event: object) => void,
    options?: { once?: boolean },
  ): void
}

/**
 * The client's side: says the token as soon as the socket is open, and waits for the answer.
 * @throws GyreError `unauthorized` when refused, `disconnected` when nobody answers.
 */
export function openSocketTransport(socket: OpeningSocket, token: string): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const sayToken = (): void => socket.send(JSON.stringify({ token }))
    if (socket.readyState === 1) sayToken()
    else socket.addEventListener('open', sayToken, { once: true })

    socket.addEventListener('message', () => resolve(socketTransport(socket)), { once: true })
    socket.addEventListener('close', (event) => {
      const refused = 'code' in event && event.code === refusedCode
      reject(
        refused
          ? new GyreError(
              'unauthorized',
              'Gyre did not accept this address.',
              'Open the address that `gyre serve` printed.',
            )
          : new GyreError('disconnected', 'Gyre does not answer.', 'Check that it is still running.'),
      )
    })
    // `close` follows and tells more; without a listener `ws` would throw.
    socket.addEventListener('error', () => undefined)
  })
}
