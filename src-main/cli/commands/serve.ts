// serve: the window in a browser, from this process.
import type { Command } from 'commander'
import { GyreError } from '#shared/contract/errors'
import { startServer, openInBrowser, type RunningServer } from '#main/serve/index'
import { wholeNumber } from '../arguments'
import type { Context } from '../program'
import { withService } from '../session'

const defaultPort = 7860

export function addServe(program: Command, context: Context): void {
  context
    .command(program, 'serve', 'Serve the window to a browser on this machine.')
    .option(
      '--port <n>',
      `port to listen on, 0 for any free one (default: ${defaultPort}, or a free one)`,
      wholeNumber(0, 65_535),
    )
    .option('--open', 'open it in the browser')
    .action(async ({ port, open }: { port?: number; open?: boolean }) => {
      const { surroundings } = context
      await withService(
        surroundings,
        async ({ service, output, signal }) => {
          const { rendererFolder } = surroundings
          const serveAt = (at: number): Promise<RunningServer> =>
            startServer({ service, rendererFolder, port: at })
          const server = await serveAt(port ?? defaultPort).catch((error: unknown) => {
            // Nobody asked for the usual port: a second Gyre takes another one.
            if (port !== undefined || !(error instanceof GyreError) || error.code !== 'busy') throw error
            output.say(`Port ${defaultPort} is in use; a free one is taken instead.`)
            return serveAt(0)
          })
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
        },
        { evaluations: false },
      )
    })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
