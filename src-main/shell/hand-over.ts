// Gives the page its line to the service: the page asks through the preload script, the shell checks who
// asks, makes a channel, keeps one end and posts the other.
import type { IpcMain, MessagePortMain, WebContents } from 'electron'
import { makeTransport, type Transport } from '#shared/rpc/message'
import { isOwnFrame } from './page'

export const connectChannel = 'gyre:connect'
export const portChannel = 'gyre:port'

/** The only way this app listens to a page: `listener` hears our own page in its own frame, nobody else. */
export function onPage(ipc: IpcMain, channel: string, listener: (contents: WebContents) => void): void {
  ipc.on(channel, (event) => {
    if (isOwnFrame(event.senderFrame)) listener(event.sender)
  })
}

/** A transport over Electron's port of the main process. */
export function mainPortTransport(port: MessagePortMain): Transport {
  const { transport, receive, ended } = makeTransport({
    send: (message) => port.postMessage(message),
    close: () => port.close(),
  })
  port.on('message', (event) => receive(event.data))
  port.on('close', ended)
  port.start()
  return transport
}

export interface HandOver {
  ipc: IpcMain
  createChannel: () => { port1: MessagePortMain; port2: MessagePortMain }
  attach: (transport: Transport) => void
}

/** One line a page: asking again (after a reload) ends the one before. */
export function handOverPorts({ ipc, createChannel, attach }: HandOver): void {
  const lines = new WeakMap<WebContents, Transport>()
  onPage(ipc, connectChannel, (contents) => {
    lines.get(contents)?.close()
    const { port1, port2 } = createChannel()
    const line = mainPortTransport(port1)
    lines.set(contents, line)
    attach(line)
    contents.postMessage(portChannel, null, [port2])
    contents.once('destroyed', () => line.close())
  })
}
