// How the window is made: isolated from everything but its preload script. Pure, so that a test can read it.
import type { BrowserWindowConstructorOptions } from 'electron'
import type { WindowPlace } from './window-place'

export function windowOptions(place: WindowPlace, preloadPath: string): BrowserWindowConstructorOptions {
  return {
    ...place.bounds,
    minWidth: 900,
    minHeight: 600,
    title: 'Gyre',
    // Shown when the page has painted: no white flash.
    show: false,
    webPreferences: {
      preload: preloadPath,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      // Its dictionaries would be downloaded.
      spellcheck: false,
      // Curves go on while the window is covered.
      backgroundThrottling: false,
    },
  }
}
