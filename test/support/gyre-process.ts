// The built command line as a child process with a library of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { engineHome } from '#main/engine/home'

export const repository = resolve(import.meta.dirname, '../..')
export const cliPath = join(repository, 'dist', 'main', 'cli.js')

/** Environment of a child: its own library, the machine's installed engines. */
export function environment(library: string): NodeJS.ProcessEnv {
  return { ...process.env, GYRE_HOME: library, GYRE_ENGINES: engineHome() }
}

export interface Served {
  /** With the token in its fragment. */
  address: string
  library: string
  process: ChildProcess
  output: () => string
  /** Ends it as Ctrl+C would, and removes its library. */
  close: () => Promise<void>
}

/** `gyre serve` on a free port with a library in a temporary folder (or the one given, which is kept). */
export async function startServe(options: { library?: string } = {}): Promise<Served> {
  const library = options.library ?? (await mkdtemp(join(tmpdir(), 'gyre-e2e-')))
  const child = spawn(process.execPath, [cliPath, 'serve', '--port', '0'], {
    env: environment(library),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stderr.on('data', (data: Buffer) => (output += data.toString()))
  const address = await new Promise<string>((found, failed) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      output += `${line}\n`
      const match = /https?:\/\/\S+#token=\S+/.exec(line)
      if (match) found(match[0])
    })
    child.on('close', (code) => failed(new Error(`gyre serve ended with ${code ?? 'a signal'}:\n${output}`)))
  })
  return {
    address,
    library,
    process: child,
    output: () => output,
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((done) => child.once('close', done))
        child.kill('SIGINT')
        await ended
      }
      if (options.library === undefined) await rm(library, { recursive: true, force: true })
    },
  }
}
