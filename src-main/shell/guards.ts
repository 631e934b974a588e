// What a page in this app is denied: permissions, leaving, opening windows, embedding others.
import type { Session, WebContents } from 'electron'
import { isOwnPage } from './page'

/** Copying text after a click is the one thing the page may ask of the system. */
const allowedPermission = 'clipboard-sanitized-write'

export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((contents, permission, answer) =>
    answer(permission === allowedPermission && isOwnPage(contents.getURL())),
  )
  session.setPermissionCheckHandler(
    (contents, permission) =>
      permission === allowedPermission && contents !== null && isOwnPage(contents.getURL()),
  )
  session.setDevicePermissionHandler(() => false)
  // The page saves what it made itself (a CSV, a PNG); anything else would come from outside.
  session.on('will-download', (event, item) => {
    if (!item.getURL().startsWith('blob:')) event.preventDefault()
  })
}

export function guardContents(contents: WebContents): void {
  const stay = (event: { preventDefault(): void; url: string }): void => {
    // A reload is a navigation to the page itself.
    if (!isOwnPage(event.url)) event.preventDefault()
  }
  contents.on('will-navigate', stay)
  contents.on('will-redirect', stay)
  contents.on('will-frame-navigate', stay)
  contents.on('will-attach-webview', (event) => event.preventDefault())
  // No link of Gyre leads out of it: nothing is handed to the system's browser either.
  contents.setWindowOpenHandler(() => ({ action: 'deny' }))
}
