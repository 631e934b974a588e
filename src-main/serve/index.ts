// `serve`: the same window and the same service, for a browser on this machine. Loopback only. Everything
// beyond the window's own files needs the token, which is made anew at each start and logged nowhere.
import type { AddressInfo } from 'node:net'
import { contract, type GyreEmit, type GyreHandlers } from '#shared/contract/index'
import { GyreError } from '#shared/contract/errors'
import { createHub } from '#shared/rpc/hub'
import { createStaticServer } from './http'
import { ownNames, type OwnNames } from './origin'
import { hostSockets } from './socket'
import { listStaticFiles } from './static-files'
import { createStrangers } from './strangers'
import { newToken } from './token'

export { openInBrowser } from './open'

const loopback = '127.0.0.1'
const maxStrangers = 128
const maxCallsPerClient = 256

/** What `serve` needs of the service. */
export interface ServableService {
  handlers: GyreHandlers
  /** Adds a listener for events; returns the function that takes it away. */
  bind(emit: GyreEmit, isAttached?: () => boolean): () => void
}

export interface ServeOptions {
  service: ServableService
  /** The built window, `dist/renderer`. */
  rendererFolder: string
  /** 0 picks a free one. */
  port: number
  /** Only the loopback interface is served; anything else is refused. */
  host?: string
  /** For tests; made when not given. */
  token?: string
}

export interface RunningServer {
  /** Without the token: may be logged. */
  url: string
  /** With the token in its fragment: for the person's eyes only. */
  address: string
  token: string
  port: number
  /** Windows that are attached now. */
  readonly clients: number
  close(): Promise<void>
}

/** @throws GyreError `busy` for a port in use, `not-found` without a built window, `unsupported` for another interface. */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { service, rendererFolder, port: wantedPort, host = loopback, token = newToken() } = options
  if (host !== loopback) {
    throw new GyreError(
      'unsupported',
      `Gyre is served on ${loopback} only, not on ${host}.`,
      'From another machine, use an SSH tunnel: ssh -L 7860:127.0.0.1:7860 this-machine.',
    )
  }
  const files = await listStaticFiles(rendererFolder)
  let names: OwnNames = ownNames(wantedPort)
  const server = createStaticServer(files, () => names)
  const strangers = createStrangers(maxStrangers)
  server.on('connection', (socket) => strangers.add(socket))
  const hub = createHub(contract, service.handlers, { maxCalls: maxCallsPerClient })
  const endSockets = hostSockets({
    server,
    names: () => names,
    token,
    strangers,
    attach: (transport) => void hub.attach(transport),
  })

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, wantedPort)))
    server.listen(wantedPort, loopback, resolve)
  }).catch((thrown: unknown) => {
    endSockets()
    throw thrown
  })
  const { port } = server.address() as AddressInfo
  names = ownNames(port)
  const unbind = service.bind(hub.emit, () => hub.connections > 0)
  const url = `http://${loopback}:${port}/`

  return {
    url,
    address: `${url}#token=${token}`,
    token,
    port,
    get clients() {
      return hub.connections
    },
    close: () =>
      new Promise((resolve) => {
        unbind()
        hub.close()
        endSockets()
        strangers.end()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listenError(error: NodeJS.ErrnoException, port: number): GyreError {
  if (error.code === 'EADDRINUSE') {
    return new GyreError('busy', `Port ${port} is in use.`, 'Choose another one with --port, or 0 for any.', {
      cause: error,
    })
  }
  if (error.code === 'EACCES') {
    return new GyreError('permission', `Port ${port} needs special rights.`, 'Choose one above 1024.', {
      cause: error,
    })
  }
  return new GyreError('internal', `Can't listen on port ${port}: ${error.message}`, undefined, {
    cause: error,
  })
}
