// The HTTP side: gives out the window's own files and nothing else. Holds no secret and reads no body, so
// it needs no token; Host and Origin are checked all the same.
import { createReadStream } from 'node:fs'
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { cacheControl, securityHeaders } from './headers'
import { hasNoOrigin, isOwnHost, isOwnOrigin, type OwnNames } from './origin'
import { findStaticFile, type StaticFiles } from './static-files'

export const requestTimeoutMs = 5000

/** `names` is asked for late: the port is known only once the server listens. */
export function createStaticServer(files: StaticFiles, names: () => OwnNames): Server {
  const server = createServer({
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: requestTimeoutMs,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: 8192,
    // Checked in `respond`, which also sets the headers.
    requireHostHeader: false,
  })
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    respond(request, response, files, names()).catch(() => response.destroy())
  }
  server.on('request', handle)
  server.on('checkContinue', handle)
  server.on('checkExpectation', handle)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
    refuse(socket, error.code === 'HPE_HEADER_OVERFLOW' ? 431 : status, names())
  })
  return server
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  files: StaticFiles,
  names: OwnNames,
): Promise<void> {
  for (const [name, value] of Object.entries(securityHeaders(names.sockets))) response.setHeader(name, value)
  const { method = '', url = '' } = request
  const file = findStaticFile(files, url)
  const problem = objection(request, names)
  if (problem || !file) {
    fail(response, ...(problem ?? ([404, 'Not found.'] as const)))
    return
  }
  response.setHeader('Content-Type', file.type)
  response.setHeader('Cache-Control', cacheControl(url))
  if (method === 'HEAD') response.end()
  else await pipeline(createReadStream(file.path), response)
}

/** Why a request is not even looked at. */
function objection(request: IncomingMessage, names: OwnNames): [status: number, text: string] | undefined {
  const { method = '' } = request
  if (!isOwnHost(request, names)) return [421, 'Unknown host.']
  if (!hasNoOrigin(request) && !isOwnOrigin(request, names)) return [403, 'Unknown origin.']
  if (method !== 'GET' && method !== 'HEAD') return [405, 'Only GET and HEAD.']
  return undefined
}

function fail(response: ServerResponse, status: number, text: string): void {
  if (status === 405) response.setHeader('Allow', 'GET, HEAD')
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
    // What follows on this connection may be a body that nobody reads.
    Connection: 'close',
  })
  response.end(`${text}\n`)
}

/** Answers on a bare socket (no upgrade, no valid request) with the same headers, and ends it. */
export function refuse(socket: Duplex, status: number, names: OwnNames): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const headers = {
    ...securityHeaders(names.sockets),
    'Cache-Control': 'no-store',
    Connection: 'close',
    'Content-Length': '0',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines].join('\r\n')
  socket.once('finish', () => socket.destroy())
  socket.end(`${head}\r\n\r\n`)
}
