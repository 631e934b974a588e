// The parts of Electron that the shell touches, as emitters that record what they were told.
import { EventEmitter } from 'node:events'
import { MessageChannel, type MessagePort as NodePort } from 'node:worker_threads'
import { vi } from 'vitest'

/** Electron's port of the main process over Node's: messages come wrapped in an event. */
export class FakeMainPort extends EventEmitter {
  constructor(readonly port: NodePort) {
    super()
    port.on('close', () => this.emit('close'))
  }
  start(): void {
    this.port.on('message', (data: unknown) => this.emit('message', { data, ports: [] }))
  }
  postMessage(message: unknown): void {
    this.port.postMessage(message)
  }
  close(): void {
    this.port.close()
  }
}

export class FakeContents extends EventEmitter {
  url = ''
  openHandler: ((details: { url: string }) => { action: string }) | undefined
  readonly posted: { channel: string; ports: FakeMainPort[] }[] = []
  readonly reload = vi.fn()
  getURL(): string {
    return this.url
  }
  setWindowOpenHandler(handler: (details: { url: string }) => { action: string }): void {
    this.openHandler = handler
  }
  postMessage(channel: string, _message: unknown, ports: FakeMainPort[]): void {
    this.posted.push({ channel, ports })
  }
}

export function createFakeElectron(userData: string) {
  class FakeWindow extends EventEmitter {
    static all: FakeWindow[] = []
    readonly webContents = new FakeContents()
    closed = false
    focused = false
    progress: number | undefined
    constructor(readonly options: Record<string, unknown>) {
      super()
      FakeWindow.all.push(this)
      app.emit('web-contents-created', {}, this.webContents)
    }
    loadURL(url: string): Promise<void> {
      this.webContents.url = url
      return Promise.resolve()
    }
    show = vi.fn()
    maximize = vi.fn()
    restore = vi.fn()
    focus = vi.fn()
    isMinimized = () => false
    isMaximized = () => false
    isFocused = () => this.focused
    isDestroyed = () => this.closed
    getNormalBounds = () => ({ x: 10, y: 20, width: 1000, height: 700 })
    setProgressBar(fraction: number): void {
      this.progress = fraction
    }
    close(): void {
      const event = { prevented: false, preventDefault: () => (event.prevented = true) }
      this.emit('close', event)
      if (event.prevented) return
      this.closed = true
      this.emit('closed')
      if (FakeWindow.all.every((window) => window.closed)) app.emit('window-all-closed')
    }
  }

  const app = Object.assign(new EventEmitter(), {
    isPackaged: true,
    hasLock: true,
    quitDone: false,
    requestSingleInstanceLock: () => app.hasLock,
    whenReady: () => Promise.resolve(),
    enableSandbox: vi.fn(),
    getVersion: () => '1.2.3',
    getPath: () => userData,
    exit: vi.fn(),
    quit: vi.fn(() => {
      const event = { prevented: false, preventDefault: () => (event.prevented = true) }
      app.emit('before-quit', event)
      if (event.prevented) return
      for (const window of FakeWindow.all) if (!window.closed) window.close()
      app.quitDone = FakeWindow.all.every((window) => window.closed)
    }),
  })

  const session = {
    defaultSession: Object.assign(new EventEmitter(), {
      setPermissionRequestHandler: vi.fn(),
      setPermissionCheckHandler: vi.fn(),
      setDevicePermissionHandler: vi.fn(),
    }),
  }

  class FakeNotification extends EventEmitter {
    static isSupported = () => true
    static shown: FakeNotification[] = []
    constructor(readonly options: { title: string; body: string }) {
      super()
    }
    show(): void {
      FakeNotification.shown.push(this)
    }
  }

  return {
    app,
    session,
    BrowserWindow: FakeWindow,
    Notification: FakeNotification,
    ipcMain: new EventEmitter(),
    protocol: { registerSchemesAsPrivileged: vi.fn(), handle: vi.fn() },
    Menu: { buildFromTemplate: vi.fn((template: unknown) => template), setApplicationMenu: vi.fn() },
    screen: { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }] },
    dialog: {
      showMessageBox: vi.fn(() => Promise.resolve({ response: 2 })),
      showOpenDialog: vi.fn(() => Promise.resolve({ canceled: false, filePaths: ['/pictures'] })),
      showErrorBox: vi.fn(),
    },
    powerSaveBlocker: { start: vi.fn(() => 7), stop: vi.fn() },
    shell: { showItemInFolder: vi.fn(), openExternal: vi.fn() },
    MessageChannelMain: class {
      readonly port1: FakeMainPort
      readonly port2: FakeMainPort
      constructor() {
        const { port1, port2 } = new MessageChannel()
        this.port1 = new FakeMainPort(port1)
        this.port2 = new FakeMainPort(port2)
      }
    },
  }
}

export type FakeElectron = ReturnType<typeof createFakeElectron>
