// Answers `app://gyre/…` with the window's own files, looked up in a closed table, and the same headers as
// `serve` gives.
import { readFile } from 'node:fs/promises'
import { securityHeaders } from '../serve/headers'
import { findStaticFile, type StaticFiles } from '../serve/static-files'
import { pageHost, pageScheme } from './page'

/** A handler for Electron's `protocol.handle`. */
export function createPageHandler(files: StaticFiles): (request: Request) => Promise<Response> {
  return async ({ method, url }) => {
    const headers = { ...securityHeaders(), 'Cache-Control': 'no-store' }
    const { protocol, host, pathname } = new URL(url)
    if (protocol !== `${pageScheme}:` || host !== pageHost)
      return new Response(null, { status: 403, headers })
    if (method !== 'GET' && method !== 'HEAD') return new Response(null, { status: 405, headers })
    const file = findStaticFile(files, pathname)
    if (!file) return new Response(null, { status: 404, headers })
    const body = method === 'HEAD' ? null : new Uint8Array(await readFile(file.path))
    return new Response(body, { headers: { ...headers, 'Content-Type': file.type } })
  }
}
