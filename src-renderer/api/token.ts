// The secret of `gyre serve`: comes in the address after #, is kept for this tab only, and leaves the address
// bar at once so that it is not copied along with the address.
const key = 'gyre-token'

/** Splits `#token=…` (alone or beside a route) from the rest of a fragment. */
export function splitHash(hash: string): { token: string | null; rest: string } {
  const match = /(?:^#|[?&])token=([A-Za-z0-9_-]+)&?/.exec(hash)
  if (!match) return { token: null, rest: hash }
  const before = hash.slice(0, match.index)
  const after = hash.slice(match.index + match[0].length)
  const rest = before === '' ? after : after === '' ? before : `${before}${match[0][0] ?? ''}${after}`
  return { token: match[1] ?? null, rest: rest === '' || rest.startsWith('#') ? rest : `#${rest}` }
}

/** Takes a token out of the address, if there is one, and returns the one to use. */
export function takeToken(): string {
  const { token, rest } = splitHash(location.hash)
  if (token !== null) {
    sessionStorage.setItem(key, token)
    history.replaceState(history.state, '', `${location.pathname}${location.search}${rest || '#/'}`)
  }
  return sessionStorage.getItem(key) ?? ''
}
