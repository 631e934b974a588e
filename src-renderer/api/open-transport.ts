// How the window reaches its service: a port handed over by the desktop app, or a WebSocket of `gyre serve`.
import { GyreError } from '#shared/contract/errors'
import { openSocketTransport } from '#shared/rpc/handshake'
import type { Transport } from '#shared/rpc/message'
import { portTransport } from '#shared/rpc/port'
import { takeToken } from './token'

const patienceMs = 10_000

export function openTransport(): Promise<Transport> {
  return window.gyreDesktop ? openPort(window.gyreDesktop) : openSocket()
}

function openSocket(): Promise<Transport> {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return openSocketTransport(new WebSocket(`${scheme}://${location.host}/rpc`), takeToken())
}

function openPort(desktop: GyreDesktop): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      window.removeEventListener('message', receive)
      reject(new GyreError('disconnected', 'The app does not answer.', 'Close Gyre and open it again.'))
    }, patienceMs)
    const receive = (event: MessageEvent): void => {
      const port = event.ports[0]
      if (event.source !== window || event.data !== 'gyre-port' || !port) return
      clearTimeout(timer)
      window.removeEventListener('message', receive)
      resolve(portTransport(port))
    }
    window.addEventListener('message', receive)
    desktop.connect()
  })
}
