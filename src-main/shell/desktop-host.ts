// The desktop side of the service's `host`: dialogs, notifications, the taskbar, keeping the machine awake.
import { dialog, Notification, powerSaveBlocker, shell, type BrowserWindow } from 'electron'
import type { HostAdapter } from '#main/service/host'
import type { ClosingChoice } from './closing'

export interface Desktop {
  /** The window, while there is one. */
  window: () => BrowserWindow | null
  /** Brings the window to the front, opening it if need be. */
  show: () => void
}

export function createDesktopHost({ window, show }: Desktop): HostAdapter {
  let blocker: number | null = null
  return {
    kind: 'desktop',
    canPickFolder: true,
    canReveal: true,
    async pickFolder() {
      const options = { title: 'Choose a folder of images', properties: ['openDirectory' as const] }
      const parent = window()
      const { canceled, filePaths } = await (parent
        ? dialog.showOpenDialog(parent, options)
        : dialog.showOpenDialog(options))
      return canceled ? null : (filePaths[0] ?? null)
    },
    reveal(path) {
      shell.showItemInFolder(path)
      return Promise.resolve()
    },
    notify(title, body) {
      // Who looks at the window sees it there.
      if (window()?.isFocused() || !Notification.isSupported()) return
      const notification = new Notification({ title, body })
      notification.on('click', show)
      notification.show()
    },
    setProgress: (fraction) => window()?.setProgressBar(fraction ?? -1),
    keepAwake(on) {
      if (on) blocker ??= powerSaveBlocker.start('prevent-app-suspension')
      else if (blocker !== null) {
        powerSaveBlocker.stop(blocker)
        blocker = null
      }
    },
  }
}

const choices: readonly ClosingChoice[] = ['stop', 'background', 'cancel']

/** The question on leaving while something trains. */
export async function askAboutTraining(parent: BrowserWindow | null, active: number): Promise<ClosingChoice> {
  const options = {
    type: 'question' as const,
    message: active === 1 ? 'A run is still training.' : `${active} runs are still training.`,
    detail:
      'Stop and keep: what was learnt so far is saved, and you can resume later.\n' +
      'Keep running: the window closes, training goes on. Open Gyre again to come back to it.',
    buttons: ['Stop and keep', 'Keep running', 'Cancel'],
    defaultId: 0,
    cancelId: 2,
    noLink: true,
  }
  const { response } = await (parent
    ? dialog.showMessageBox(parent, options)
    : dialog.showMessageBox(options))
  return choices[response] ?? 'cancel'
}
