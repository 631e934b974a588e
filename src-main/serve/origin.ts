// Which Host and Origin headers belong to this server. Exact strings: a name that merely resolves to this
// machine (DNS rebinding) or an origin that merely begins alike is foreign. Pure.
import type { IncomingMessage } from 'node:http'

export interface OwnNames {
  hosts: ReadonlySet<string>
  /** WebSocket addresses, for the content security policy. */
  sockets: readonly string[]
}

/** The names under which a server on the IPv4 loopback can be asked. */
export function ownNames(port: number): OwnNames {
  const names = ['127.0.0.1', 'localhost']
  const hosts = names.map((name) => `${name}:${port}`)
  // A browser leaves the scheme's own port out.
  if (port === 80) hosts.push(...names)
  return { hosts: new Set(hosts), sockets: hosts.map((host) => `ws://${host}`) }
}

type Headers = Pick<IncomingMessage, 'headersDistinct'>

/** Exactly one Host header, and one of ours. */
export function isOwnHost({ headersDistinct }: Headers, names: OwnNames): boolean {
  const { host = [] } = headersDistinct
  return host.length === 1 && host[0] !== undefined && names.hosts.has(host[0])
}

/** Exactly one Origin header, and the origin of the very host that is asked. */
export function isOwnOrigin({ headersDistinct }: Headers, names: OwnNames): boolean {
  const { host = [], origin = [] } = headersDistinct
  return (
    isOwnHost({ headersDistinct }, names) && origin.length === 1 && origin[0] === `http://${host[0] ?? ''}`
  )
}

/** No Origin header at all, as plain navigations and same-origin GETs have. */
export function hasNoOrigin({ headersDistinct }: Headers): boolean {
  return headersDistinct.origin === undefined
}
