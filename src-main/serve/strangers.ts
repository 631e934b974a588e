// Sockets that have not shown the token yet. Only so many are kept: a new one pushes the oldest out, so that
// a flood of idle sockets can't keep the person's own browser from being answered.
import type { Socket } from 'node:net'

export interface Strangers {
  /** Takes a new socket in; may destroy the oldest one. */
  add(socket: Socket): void
  /** The socket has shown the token. */
  trust(socket: Socket): void
  /** Ends them all. */
  end(): void
}

export function createStrangers(limit: number): Strangers {
  // A Set keeps the order of arrival.
  const sockets = new Set<Socket>()
  return {
    add(socket) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      const oldest = sockets.values().next().value
      if (sockets.size > limit && oldest) {
        sockets.delete(oldest)
        oldest.destroy()
      }
    },
    trust: (socket) => void sockets.delete(socket),
    end: () => sockets.forEach((socket) => socket.destroy()),
  }
}
