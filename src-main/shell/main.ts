// Electron's entry: the window in a sandbox, the service in this process, a MessagePort between them. Only
// puts the parts together; each guard and decision is a module of its own.
import { app, dialog, ipcMain, Menu, MessageChannelMain, protocol, session } from 'electron'
import { join } from 'node:path'
import { toGyreError } from '#shared/contract/errors'
import { contract } from '#shared/contract/index'
import { createHub } from '#shared/rpc/hub'
import { gyreHome } from '#main/engine/home'
import { listStaticFiles } from '#main/serve/static-files'
import { createService, type Service } from '#main/service/index'
import { createClosing } from './closing'
import { askAboutTraining, createDesktopHost } from './desktop-host'
import { guardContents, guardSession } from './guards'
import { handOverPorts } from './hand-over'
import { createMainWindow } from './main-window'
import { menuTemplate } from './menu'
import { pageScheme, schemePrivileges } from './page'
import { createPageHandler } from './protocol'
import { utilityHost } from './utility-host'

const here = import.meta.dirname
const rendererFolder = join(here, '..', 'renderer')
const preloadPath = join(here, '..', 'preload', 'preload.cjs')
/** Workers and the native addons they load need real files, which lie beside the archive. */
const workerEntry = (file: string): string =>
  join(here, file).replace(/app\.asar(?=[\\/])/, 'app.asar.unpacked')
const trainerEntry = workerEntry('trainer.js')

const report = (thrown: unknown): void => console.error(thrown)

async function start(): Promise<void> {
  guardSession(session.defaultSession)
  protocol.handle(pageScheme, createPageHandler(await listStaticFiles(rendererFolder)))
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform, app.isPackaged)))

  const window = createMainWindow({
    preloadPath,
    placeFile: join(app.getPath('userData'), 'window.json'),
    mayClose: () => closing.mayClose,
    onCloseWish: () => leave(),
  })
  const show = (): void => {
    closing.windowOpened()
    window.show()
  }
  const service: Service = await createService({
    libraryPath: gyreHome(),
    trainerEntry,
    decoderEntry: workerEntry('decoder.js'),
    trainerHosts: { process: utilityHost(trainerEntry) },
    host: createDesktopHost({ window: () => window.current(), show }),
    version: app.getVersion(),
  })
  const hub = createHub(contract, service.handlers)
  service.bind(hub.emit, () => hub.connections > 0)
  handOverPorts({
    ipc: ipcMain,
    createChannel: () => new MessageChannelMain(),
    attach: (transport) => void hub.attach(transport),
  })

  const activeRuns = async (): Promise<string[]> =>
    (await service.store.list()).map(({ id }) => id).filter((id) => service.training.has(id))
  const closing = createClosing({
    countActive: async () => (await activeRuns()).length,
    whenIdle: async () => {
      // A run that ends may let the next one begin.
      for (let runs = await activeRuns(); runs.length > 0; runs = await activeRuns()) {
        await Promise.all(runs.map(async (id) => service.training.whenEnded(id)))
      }
    },
    ask: (count) => askAboutTraining(window.current(), count),
    closeWindow: () => window.close(),
    endService: () => service.close(),
    quit: () => app.quit(),
  })
  const leave = (): void => void closing.leave().catch(report)

  app.on('before-quit', (event) => {
    if (closing.mayQuit) return
    event.preventDefault()
    leave()
  })
  // Without this listener Electron would quit with the last window, and training with it.
  app.on('window-all-closed', () => undefined)
  app.on('second-instance', show)
  app.on('activate', show)
  show()
}

// Both must be said before Electron is ready.
protocol.registerSchemesAsPrivileged([{ scheme: pageScheme, privileges: schemePrivileges }])
app.enableSandbox()

app.on('web-contents-created', (_event, contents) => guardContents(contents))

// A second start only brings the first one's window to the front: see `second-instance`.
if (app.requestSingleInstanceLock()) {
  app
    .whenReady()
    .then(start)
    .catch((thrown: unknown) => {
      const { message, hint = '' } = toGyreError(thrown)
      dialog.showErrorBox("Gyre can't start", `${message}\n${hint}`)
      app.exit(1)
    })
} else {
  app.quit()
}
