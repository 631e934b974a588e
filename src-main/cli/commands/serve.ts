// serve: the window in a browser, from this process.
import type { Command } from 'commander'
import { startServer, openInBrowser } from '#main/serve/index'
import { wholeNumber } from '../arguments'
import type { Context } from '../program'
import { withService } from '../session'

const defaultPort = 7860

export function addServe(program: Command, context: Context): void {
  context
    .command(program, 'serve', 'Serve the window to a browser on this machine.')
    .option('--port <n>', 'port to listen on; 0 takes a free one', wholeNumber(0, 65_535), defaultPort)
    .option('--open', 'open it in the browser')
    .action(async ({ port, open }: { port: number; open?: boolean }) => {
      const { surroundings } = context
      await withService(surroundings, async ({ service, output, signal }) => {
        const { rendererFolder } = surroundings
        const server = await startServer({ service, rendererFolder, port })
        let removePrivateFile: (() => Promise<void>) | null = null
        try {
          // The address is the result: it holds the token, and this is the only place it is ever printed.
          await output.result({ url: server.url, address: server.address }, [
            `Gyre is at ${server.address}`,
            'Anyone with this address can use it. Press Ctrl+C to stop.',
          ])
          if (open === true) {
            removePrivateFile = await openInBrowser(server.address)
            if (!removePrivateFile) output.say('No browser could be opened: copy the address above.')
          }
          await aborted(signal)
        } finally {
          await removePrivateFile?.()
          await server.close()
        }
      })
    })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
