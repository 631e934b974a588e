// The shell's entry, started over a stand-in for Electron and a small service: what it sets, denies, serves
// and asks. What only a real Electron can show is read from the built files in test/integration/shell.
import { EventEmitter } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { contract, type GyreClient, type GyreEmit } from '#shared/contract/index'
import { createClient } from '#shared/rpc/client'
import { nodePortTransport } from '#shared/rpc/port'
import type * as StaticFiles from '#main/serve/static-files'
import type { HostAdapter } from '#main/service/host'
import { createFakeElectron, type FakeElectron } from './fake-electron'

let folder: string
let electron: FakeElectron
let emit: GyreEmit
let host: HostAdapter
let training: Map<string, PromiseWithResolvers<void>>
const closeService = vi.fn(() => Promise.resolve())
let startService: () => Promise<unknown>

interface PromiseWithResolvers<T> {
  promise: Promise<T>
  resolve: (value: T) => void
}

function beginTraining(id: string): void {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  training.set(id, { promise, resolve })
}

function endTraining(id: string): void {
  const run = training.get(id)
  training.delete(id)
  run?.resolve()
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-shell-'))
  await mkdir(join(folder, 'renderer'))
  await writeFile(join(folder, 'renderer', 'index.html'), '<!doctype html><title>Gyre</title>')
  await writeFile(join(folder, 'secret.txt'), 'outside')
  electron = createFakeElectron(folder)
  training = new Map()
  closeService.mockReset().mockResolvedValue(undefined)
  const service = {
    handlers: { host: { info: () => ({ kind: 'desktop' }) }, runs: { list: () => [] } },
    store: { list: () => Promise.resolve([...training.keys(), 'old-run'].map((id) => ({ id }))) },
    training: {
      has: (id: string) => training.has(id),
      whenEnded: (id: string) => training.get(id)?.promise ?? null,
    },
    bind: (bound: GyreEmit) => {
      emit = bound
      return () => undefined
    },
    close: closeService,
  }
  startService = () => Promise.resolve(service)
  vi.resetModules()
  vi.doMock('electron', () => electron)
  vi.doMock('#main/service/index', () => ({
    createService: vi.fn((options: { host: HostAdapter }) => {
      host = options.host
      return startService()
    }),
  }))
  vi.doMock('#main/serve/static-files', async (original) => {
    const real = await original<typeof StaticFiles>()
    return { ...real, listStaticFiles: () => real.listStaticFiles(join(folder, 'renderer')) }
  })
})

afterEach(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true, force: true })
})

type FakeWindow = InstanceType<FakeElectron['BrowserWindow']>

async function start(): Promise<FakeWindow> {
  await import('#main/shell/main')
  return vi.waitFor(() => {
    const window = electron.BrowserWindow.all.at(-1)
    if (!window) throw new Error('no window yet')
    return window
  })
}

/** Asks for a port as a frame would, and gives what was handed over. */
function ask(window: FakeWindow, frame: { url: string; parent: unknown } | null) {
  electron.ipcMain.emit('gyre:connect', { senderFrame: frame, sender: window.webContents })
  return window.webContents.posted.at(-1)
}

const ownFrame = { url: 'app://gyre/index.html#/train', parent: null }

function clientOf(handed: ReturnType<typeof ask>): GyreClient & { closed: Promise<void> } {
  const port = handed?.ports[0]?.port
  if (!port) throw new Error('no port')
  return createClient(contract, nodePortTransport(port))
}

describe('start', () => {
  it('makes a sandboxed, isolated window on its own page', async () => {
    const window = await start()
    expect(window.options.webPreferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
      preload: expect.stringMatching(/preload\.cjs$/) as string,
    })
    expect(window.webContents.url).toBe('app://gyre/index.html')
    expect(electron.app.enableSandbox).toHaveBeenCalledOnce()
    expect(electron.protocol.registerSchemesAsPrivileged).toHaveBeenCalledWith([
      { scheme: 'app', privileges: { standard: true, secure: true } },
    ])
    expect(window.show).not.toHaveBeenCalled()
    window.emit('ready-to-show')
    expect(window.show).toHaveBeenCalledOnce()
  })

  it('leaves to the instance that runs already', async () => {
    electron.app.hasLock = false
    await import('#main/shell/main')
    expect(electron.app.quit).toHaveBeenCalledOnce()
    expect(electron.BrowserWindow.all).toEqual([])
  })

  it('brings its window forward for a second start', async () => {
    const window = await start()
    electron.app.emit('second-instance')
    expect(window.focus).toHaveBeenCalledTimes(2)
    expect(electron.BrowserWindow.all).toHaveLength(1)
  })

  it('says why it can’t start', async () => {
    // The class that the freshly loaded shell knows.
    const { GyreError } = await import('#shared/contract/errors')
    startService = () => Promise.reject(new GyreError('permission', 'The library is locked.', 'Move it.'))
    await import('#main/shell/main')
    await vi.waitFor(() => expect(electron.app.exit).toHaveBeenCalledWith(1))
    expect(electron.dialog.showErrorBox).toHaveBeenCalledWith(
      "Gyre can't start",
      'The library is locked.\nMove it.',
    )
  })

  it('has a menu by role, without developer tools once packaged', async () => {
    await start()
    const text = JSON.stringify(electron.Menu.setApplicationMenu.mock.calls)
    expect(text).toContain('"role":"editMenu"')
    expect(text).not.toContain('toggleDevTools')
  })
})

describe('denials', () => {
  it('grants no permission but copying, and that to its own page only', async () => {
    const window = await start()
    const { defaultSession } = electron.session
    const request = defaultSession.setPermissionRequestHandler.mock.calls[0]?.[0] as (
      contents: unknown,
      permission: string,
      answer: (granted: boolean) => void,
    ) => void
    const check = defaultSession.setPermissionCheckHandler.mock.calls[0]?.[0] as (
      contents: unknown,
      permission: string,
    ) => boolean
    const granted = (permission: string): boolean[] => {
      const answers: boolean[] = []
      request(window.webContents, permission, (answer) => answers.push(answer))
      return [...answers, check(window.webContents, permission)]
    }
    const permissions = [
      ...[
        'media',
        'geolocation',
        'notifications',
        'midi',
        'pointerLock',
        'fullscreen',
        'openExternal',
        'hid',
      ],
      ...['clipboard-read', 'display-capture', 'serial', 'usb', 'fileSystem', 'window-management', 'unknown'],
    ]
    for (const permission of permissions) expect(granted(permission), permission).toEqual([false, false])
    expect(granted('clipboard-sanitized-write')).toEqual([true, true])
    window.webContents.url = 'https://evil.example/'
    expect(granted('clipboard-sanitized-write')).toEqual([false, false])
    expect(check(null, 'clipboard-sanitized-write')).toBe(false)
    const device = defaultSession.setDevicePermissionHandler.mock.calls[0]?.[0] as () => boolean
    expect(device()).toBe(false)
  })

  it.each(['will-navigate', 'will-redirect', 'will-frame-navigate'])('denies leaving (%s)', async (name) => {
    const window = await start()
    const denied = (url: string): boolean => {
      const preventDefault = vi.fn()
      window.webContents.emit(name, { url, preventDefault })
      return preventDefault.mock.calls.length > 0
    }
    const foreign = [
      ...['https://example.com/', 'http://gyre/index.html', 'file:///etc/passwd', 'javascript:alert(1)'],
      ...[
        'data:text/html,x',
        'about:blank',
        'blob:app://gyre/1',
        'app://evil/index.html',
        'app://gyre/other',
      ],
      ...['app://gyre.evil/index.html', 'app://user@gyre/index.html', 'app://gyre:1/index.html', 'nonsense'],
    ]
    expect(foreign.filter((url) => !denied(url))).toEqual([])
    expect(denied('app://gyre/index.html#/runs')).toBe(false)
  })

  it('opens no window, no web view, no download from outside', async () => {
    const { webContents } = await start()
    for (const url of ['https://example.com/', 'app://gyre/index.html', 'mailto:a@b.c']) {
      expect(webContents.openHandler?.({ url })).toEqual({ action: 'deny' })
    }
    const view = { preventDefault: vi.fn() }
    webContents.emit('will-attach-webview', view)
    expect(view.preventDefault).toHaveBeenCalled()
    const prevented = (url: string): boolean => {
      const event = { preventDefault: vi.fn() }
      electron.session.defaultSession.emit('will-download', event, { getURL: () => url })
      return event.preventDefault.mock.calls.length > 0
    }
    expect(prevented('https://example.com/x.exe')).toBe(true)
    expect(prevented('blob:app://gyre/0000')).toBe(false)
    expect(electron.shell.openExternal).not.toHaveBeenCalled()
  })

  it.each([
    ['nobody', null],
    ['a frame inside the page', { ...ownFrame, parent: {} }],
    ['another host', { url: 'app://evil/index.html', parent: null }],
    ['another scheme', { url: 'https://gyre/index.html', parent: null }],
    ['a page that is blank', { url: 'about:blank', parent: null }],
    ['an empty address', { url: '', parent: null }],
  ])('hands no port to %s', async (_name, frame) => {
    const window = await start()
    expect(ask(window, frame)).toBeUndefined()
  })
})

describe('the page', () => {
  type Handler = (request: Request) => Promise<Response>
  const handler = (): Handler => electron.protocol.handle.mock.calls[0]?.[1] as Handler
  // Node's Request refuses unknown schemes' credentials only; a plain object is all the handler reads.
  const get = (url: string, method = 'GET') => handler()({ url, method } as Request)

  it('is served with the headers of a guarded answer', async () => {
    await start()
    expect(electron.protocol.handle.mock.calls[0]?.[0]).toBe('app')
    const response = await get('app://gyre/index.html')
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('<title>Gyre</title>')
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-security-policy')).toContain(
      "default-src 'none'; script-src 'self';",
    )
    expect(response.headers.get('content-security-policy')).toContain("connect-src 'self';")
    expect(await (await get('app://gyre/', 'HEAD')).text()).toBe('')
  })

  it.each([
    ['app://gyre/../secret.txt', 404],
    ['app://gyre/%2e%2e/secret.txt', 404],
    ['app://gyre/..%2fsecret.txt', 404],
    ['app://gyre//etc/passwd', 404],
    ['app://gyre/renderer/index.html', 404],
    ['app://evil/index.html', 403],
    ['file:///etc/passwd', 403],
  ])('is nothing but the window’s files: %s', async (url, status) => {
    await start()
    const response = await get(url)
    expect(response.status).toBe(status)
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await response.text()).toBe('')
  })

  it('takes no POST', async () => {
    await start()
    expect((await get('app://gyre/index.html', 'POST')).status).toBe(405)
  })
})

describe('the line to the service', () => {
  it('carries calls, and is replaced when the page is loaded again', async () => {
    const window = await start()
    const first = clientOf(ask(window, ownFrame))
    expect(await first.host.info()).toEqual({ kind: 'desktop' })
    const second = clientOf(ask(window, ownFrame))
    await first.closed
    expect(await second.runs.list()).toEqual([])
    window.webContents.emit('destroyed')
    await second.closed
  })

  it('carries events', async () => {
    const window = await start()
    const client = clientOf(ask(window, ownFrame))
    const heard: unknown[] = []
    client.settings.onChange((settings) => heard.push(settings.appearance))
    await client.runs.list()
    emit('settings', 'onChange', { appearance: 'dark', engine: 'auto', welcomeDismissed: true })
    await client.runs.list()
    expect(heard).toEqual(['dark'])
    window.webContents.emit('destroyed')
  })
})

describe('closing', () => {
  const answer = (response: number): unknown =>
    electron.dialog.showMessageBox.mockResolvedValueOnce({ response })

  it('quits at once when nothing trains, and keeps the window’s place', async () => {
    const window = await start()
    window.close()
    await vi.waitFor(() => expect(electron.app.quitDone).toBe(true))
    expect(electron.dialog.showMessageBox).not.toHaveBeenCalled()
    expect(closeService).toHaveBeenCalledOnce()
    expect(JSON.parse(await readFile(join(folder, 'window.json'), 'utf8'))).toEqual({
      bounds: { x: 10, y: 20, width: 1000, height: 700 },
      maximized: false,
    })
  })

  it('asks while something trains; cancel leaves everything as it is', async () => {
    const window = await start()
    beginTraining('r1')
    answer(2)
    window.close()
    await vi.waitFor(() => expect(electron.dialog.showMessageBox).toHaveBeenCalledOnce())
    await Promise.resolve()
    expect(window.closed).toBe(false)
    expect(closeService).not.toHaveBeenCalled()
    expect(electron.dialog.showMessageBox.mock.calls).toMatchObject([
      [window, { buttons: ['Stop and keep', 'Keep running', 'Cancel'], message: 'A run is still training.' }],
    ])
  })

  it('stops and keeps, then quits', async () => {
    const window = await start()
    beginTraining('r1')
    answer(0)
    electron.app.quit()
    expect(electron.app.quitDone).toBe(false)
    await vi.waitFor(() => expect(electron.app.quitDone).toBe(true))
    expect(closeService).toHaveBeenCalledOnce()
    expect(window.closed).toBe(true)
  })

  it('keeps running without a window, and ends with its last run', async () => {
    const window = await start()
    beginTraining('r1')
    answer(1)
    window.close()
    await vi.waitFor(() => expect(window.closed).toBe(true))
    expect(closeService).not.toHaveBeenCalled()
    endTraining('r1')
    await vi.waitFor(() => expect(electron.app.quitDone).toBe(true))
    expect(closeService).toHaveBeenCalledOnce()
  })

  it('keeps running, and is opened again', async () => {
    const window = await start()
    beginTraining('r1')
    answer(1)
    window.close()
    await vi.waitFor(() => expect(window.closed).toBe(true))
    electron.app.emit('second-instance')
    expect(electron.BrowserWindow.all).toHaveLength(2)
    endTraining('r1')
    await new Promise((resolve) => setImmediate(resolve))
    expect(electron.app.quitDone).toBe(false)
  })
})

describe('the desktop', () => {
  it('picks folders, shows them, and tells what ended only to who is not looking', async () => {
    const window = await start()
    expect(host).toMatchObject({ kind: 'desktop', canPickFolder: true, canReveal: true })
    expect(await host.pickFolder()).toBe('/pictures')
    electron.dialog.showOpenDialog.mockResolvedValueOnce({ canceled: true, filePaths: [] })
    expect(await host.pickFolder()).toBeNull()
    await host.reveal('/library/runs/r1')
    expect(electron.shell.showItemInFolder).toHaveBeenCalledWith('/library/runs/r1')

    window.focused = true
    host.notify?.('Finished', 'Run 1')
    expect(electron.Notification.shown).toHaveLength(0)
    window.focused = false
    host.notify?.('Finished', 'Run 1')
    expect(electron.Notification.shown).toMatchObject([{ options: { title: 'Finished', body: 'Run 1' } }])
    electron.Notification.shown[0]?.emit('click')
    expect(window.focus).toHaveBeenCalledTimes(2)
  })

  it('shows progress and keeps the machine awake, once', async () => {
    const window = await start()
    host.setProgress?.(0.5)
    expect(window.progress).toBe(0.5)
    host.setProgress?.(null)
    expect(window.progress).toBe(-1)
    const { start: begin, stop } = electron.powerSaveBlocker
    host.keepAwake?.(true)
    host.keepAwake?.(true)
    host.keepAwake?.(false)
    host.keepAwake?.(false)
    expect([begin.mock.calls, stop.mock.calls]).toEqual([[['prevent-app-suspension']], [[7]]])
  })

  it('loads a page that crashed anew', async () => {
    const { webContents } = await start()
    webContents.emit('render-process-gone', {}, { reason: 'crashed' })
    webContents.emit('render-process-gone', {}, { reason: 'clean-exit' })
    expect(webContents.reload).toHaveBeenCalledOnce()
  })
})

describe('the preload script', () => {
  it('exposes two functions and posts the port it is given', async () => {
    const exposed = vi.fn()
    const ipcRenderer = Object.assign(new EventEmitter(), { send: vi.fn() })
    const postMessage = vi.fn()
    vi.stubGlobal('window', { postMessage })
    vi.doMock('electron', () => ({
      contextBridge: { exposeInMainWorld: exposed },
      ipcRenderer,
      webUtils: { getPathForFile: (file: { name: string }) => `/pictures/${file.name}` },
    }))
    await import('#main/shell/preload')
    const [name, members] = exposed.mock.calls[0] as [string, GyreDesktop]
    expect(name).toBe('gyreDesktop')
    // Checked by the compiler against what the window counts on.
    const wanted: Record<keyof GyreDesktop, true> = { connect: true, getPathForFile: true }
    expect(Object.keys(members).sort()).toEqual(Object.keys(wanted))
    expect(members.getPathForFile(new File([], 'cats'))).toBe('/pictures/cats')
    members.connect()
    expect(ipcRenderer.send).toHaveBeenCalledWith('gyre:connect')
    ipcRenderer.emit('gyre:port', { ports: ['port'] })
    expect(postMessage).toHaveBeenCalledWith('gyre-port', '*', ['port'])
    vi.unstubAllGlobals()
  })
})
