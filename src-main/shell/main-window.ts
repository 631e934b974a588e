// The one window: made, shown, its place kept. Closing goes through `onClose`, which may say no.
import { BrowserWindow, screen } from 'electron'
import { pageUrl } from './page'
import { windowOptions } from './window-options'
import { keepPlace, readPlace } from './window-place'

export interface MainWindowOptions {
  preloadPath: string
  /** Where its place is kept. */
  placeFile: string
  /** Whether the window may close now. */
  mayClose: () => boolean
  /** The person wants to close it and it may not yet. */
  onCloseWish: () => void
}

export interface MainWindow {
  current(): BrowserWindow | null
  /** To the front; made anew if it was closed. */
  show(): void
  close(): void
}

export function createMainWindow({
  preloadPath,
  placeFile,
  mayClose,
  onCloseWish,
}: MainWindowOptions): MainWindow {
  let window: BrowserWindow | null = null

  function open(): BrowserWindow {
    const screens = screen.getAllDisplays().map((display) => display.workArea)
    const place = readPlace(placeFile, screens)
    const made = new BrowserWindow(windowOptions(place, preloadPath))
    if (place.maximized) made.maximize()
    made.once('ready-to-show', () => made.show())
    made.on('close', (event) => {
      keepPlace(placeFile, { bounds: made.getNormalBounds(), maximized: made.isMaximized() })
      if (mayClose()) return
      event.preventDefault()
      onCloseWish()
    })
    made.on('closed', () => (window = null))
    // A page that crashed is loaded anew; the service, and training with it, never noticed.
    made.webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason !== 'clean-exit' && !made.isDestroyed()) made.webContents.reload()
    })
    void made.loadURL(pageUrl)
    return made
  }

  return {
    current: () => window,
    show() {
      window ??= open()
      if (window.isMinimized()) window.restore()
      window.focus()
    },
    close: () => window?.close(),
  }
}
