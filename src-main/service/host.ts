// What the machine and its desktop can do for the service. The shell gives an adapter of its own; everything else
// (serve, command line) uses `browserHost`. Knows neither Electron nor a transport.
import { cpus, totalmem } from 'node:os'
import { GyreError } from '#shared/contract/errors'
import type { HostInfo } from '#shared/contract/app'

export interface HostAdapter {
  readonly kind: 'desktop' | 'browser'
  readonly canPickFolder: boolean
  readonly canReveal: boolean
  /** A folder dialog; null when it was closed. */
  pickFolder(): Promise<string | null>
  /** Shows a file or folder in the desktop's file manager. */
  reveal(path: string): Promise<void>
  /** Tells the person that something has ended, where they may not be looking. */
  notify?(title: string, body: string): void
  /** Progress on the taskbar, 0 to 1; null removes it. */
  setProgress?(fraction: number | null): void
  /** Keeps the machine from sleeping while training. */
  keepAwake?(on: boolean): void
}

const unsupported = (what: string): GyreError =>
  new GyreError('unsupported', `${what} is only possible in the desktop app.`, 'Type the path instead.')

/** A host without a desktop. */
export const browserHost: HostAdapter = {
  kind: 'browser',
  canPickFolder: false,
  canReveal: false,
  pickFolder: () => Promise.reject(unsupported('A folder dialog')),
  reveal: () => Promise.reject(unsupported('Showing a folder')),
}

export function hostInfo(host: HostAdapter, libraryPath: string, version: string): HostInfo {
  return {
    kind: host.kind,
    platform: process.platform,
    version,
    libraryPath,
    cores: cpus().length,
    memoryBytes: totalmem(),
    canPickFolder: host.canPickFolder,
    canReveal: host.canReveal,
  }
}
