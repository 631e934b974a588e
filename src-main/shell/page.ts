// The address of Gyre's own page, and what counts as it. Pure: every guard of the shell asks here.

export const pageScheme = 'app'
export const pageHost = 'gyre'
export const pageUrl = `${pageScheme}://${pageHost}/index.html`

/**
 * What the scheme may do, and no more: `standard` gives it an origin with storage of its own, `secure` makes
 * it a secure context. It bypasses no policy, and `fetch`, service workers and streaming stay off.
 */
export const schemePrivileges = { standard: true, secure: true } as const

/** Whether a URL is the page itself, at whichever place (`#/train`). */
export function isOwnPage(url: string): boolean {
  try {
    const { protocol, host, pathname, username, password } = new URL(url)
    return (
      protocol === `${pageScheme}:` &&
      host === pageHost &&
      (pathname === '/index.html' || pathname === '/') &&
      username + password === ''
    )
  } catch {
    return false
  }
}

/** The parts of Electron's WebFrameMain that tell who speaks. */
export interface Frame {
  readonly url: string
  readonly parent: unknown
}

/** Our page in the window's own frame: no frame inside it, nothing that it was navigated to. */
export function isOwnFrame(frame: Frame | null): boolean {
  return frame !== null && frame.parent === null && isOwnPage(frame.url)
}
