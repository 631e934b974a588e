// A stand-in for Electron under plain Node: runs the built shell, asks it what a page, a stranger and a person
// closing the window would, prints what came out as JSON, and ends.
import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'

const report = { denied: {}, pages: {} }

class MainPort extends EventEmitter {
  constructor(port) {
    super()
    this.port = port
    port.on('close', () => this.emit('close'))
  }
  start() {
    this.port.on('message', (data) => this.emit('message', { data }))
  }
  postMessage(message) {
    this.port.postMessage(message)
  }
  close() {
    this.port.close()
  }
}

export class MessageChannelMain {
  constructor() {
    const { port1, port2 } = new MessageChannel()
    Object.assign(this, { port1: new MainPort(port1), port2: new MainPort(port2) })
  }
}

export const app = Object.assign(new EventEmitter(), {
  isPackaged: true,
  requestSingleInstanceLock: () => (report.lock = true),
  whenReady: () => Promise.resolve(),
  enableSandbox: () => (report.sandboxed = true),
  getVersion: () => '0.0.0-test',
  getPath: () => process.env.GYRE_HOME,
  exit: (code) => process.exit(code),
  quit: () => {
    const event = { preventDefault: () => (event.prevented = true) }
    app.emit('before-quit', event)
    if (event.prevented) return
    process.stdout.write(JSON.stringify(report), () => process.exit())
  },
})

class Contents extends EventEmitter {
  getURL = () => 'app://gyre/index.html'
  setWindowOpenHandler = (handler) => (report.denied.open = handler({ url: 'https://example.com' }).action)
  postMessage = (_channel, _message, [port]) => (this.handed = port.port)
}

const prevented = (emitter, name, details = {}, ...more) => {
  const event = { ...details, preventDefault: () => (event.done = true) }
  emitter.emit(name, event, ...more)
  return event.done === true
}

export class BrowserWindow extends EventEmitter {
  webContents = new Contents()
  constructor(options) {
    super()
    report.window = options
    app.emit('web-contents-created', {}, this.webContents)
  }
  loadURL(url) {
    report.url = url
    drive(this).catch((error) => {
      process.stderr.write(String(error.stack))
      process.exit(1)
    })
    return Promise.resolve()
  }
  isMinimized = () => false
  isMaximized = () => false
  getNormalBounds = () => ({ x: 0, y: 0, width: 1000, height: 700 })
  focus() {}
  show() {}
}

async function drive(window) {
  // The shell goes on with its start first.
  await setImmediate()
  const { webContents } = window
  for (const name of ['will-navigate', 'will-redirect', 'will-frame-navigate'])
    report.denied[name] = prevented(webContents, name, { url: 'https://example.com/' })
  report.denied['will-attach-webview'] = prevented(webContents, 'will-attach-webview')
  report.denied['will-download'] = prevented(
    session.defaultSession,
    'will-download',
    {},
    { getURL: () => 'https://x' },
  )

  for (const url of ['app://gyre/index.html', 'app://gyre/../main/shell.js', 'app://evil/index.html']) {
    const response = await report.handler({ url, method: 'GET' })
    report.pages[url] = { status: response.status, headers: Object.fromEntries(response.headers) }
  }
  delete report.handler

  const stranger = { url: 'https://example.com/', parent: null }
  ipcMain.emit('gyre:connect', { senderFrame: stranger, sender: webContents })
  report.denied.port = webContents.handed === undefined
  ipcMain.emit('gyre:connect', { senderFrame: { url: report.url, parent: null }, sender: webContents })
  const port = webContents.handed
  const answers = new Promise((resolve) => {
    const heard = []
    port.on('message', (message) => heard.push(message) === 2 && resolve(heard))
  })
  port.postMessage({ type: 'call', id: 1, topic: 'host', name: 'info' })
  port.postMessage({ type: 'call', id: 2, topic: 'runs', name: 'list' })
  report.answers = (await answers).sort((a, b) => a.id - b.id)
  app.quit()
}

export const session = {
  defaultSession: Object.assign(new EventEmitter(), {
    setPermissionRequestHandler: (handler) =>
      handler(new Contents(), 'media', (granted) => (report.denied.request = !granted)),
    setPermissionCheckHandler: (handler) => (report.denied.check = !handler(new Contents(), 'geolocation')),
    setDevicePermissionHandler: (handler) => (report.denied.device = !handler({})),
  }),
}
export const ipcMain = new EventEmitter()
export const protocol = {
  registerSchemesAsPrivileged: (schemes) => (report.schemes = schemes),
  handle: (_scheme, handler) => (report.handler = handler),
}
export const Menu = { buildFromTemplate: (template) => template, setApplicationMenu: () => {} }
export const screen = { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }] }
export const dialog = {
  showErrorBox: (title, text) => process.stderr.write(`${title}: ${text}\n`),
  showMessageBox: () => Promise.resolve({ response: 0 }),
}
export const Notification = class {}
export const powerSaveBlocker = {}
export const shell = {}
export const utilityProcess = {}
