// Runs beside the page in the sandbox. Gives it two things: a port to the service, and the path of a file
// or folder that the person dropped. No Node, no Electron reaches the page.
import { contextBridge, ipcRenderer, webUtils } from 'electron'

/** The one thing used of the page's window; this file is built without the DOM's types. */
declare const window: { postMessage(message: string, origin: string, ports: readonly unknown[]): void }

contextBridge.exposeInMainWorld('gyreDesktop', {
  /** Asks for a port; it comes as a `message` event of the window with data `gyre-port`. */
  connect: (): void => ipcRenderer.send('gyre:connect'),
  /** Absolute path of a dropped file or folder; empty for one that is not on a disk. */
  getPathForFile: (file: File): string => webUtils.getPathForFile(file),
})

// A port can't cross the bridge; the window's own message event carries it. The only listener is our page:
// the window can be navigated nowhere else.
ipcRenderer.on('gyre:port', (event) => window.postMessage('gyre-port', '*', event.ports))
