// Electron's utility processes over Node's: the same members and events, an exit code as waitpid gives it, and in the
// process itself `process.parentPort` in place of Node's own channel (`parent-port.mjs`).
import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { constants } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

interface ForkOptions {
  env: NodeJS.ProcessEnv
  stdio: ('ignore' | 'pipe')[]
}

class FakeUtilityProcess extends EventEmitter {
  readonly stdout: ChildProcess['stdout']
  readonly stderr: ChildProcess['stderr']
  readonly #child: ChildProcess
  #spawned = false

  constructor(entry: string, { env, stdio }: ForkOptions) {
    super()
    const port = pathToFileURL(join(import.meta.dirname, 'parent-port.mjs')).href
    this.#child = fork(entry, [], {
      env,
      execArgv: ['--import', port],
      serialization: 'advanced',
      stdio: [...stdio, 'ipc'],
    })
    this.stdout = this.#child.stdout
    this.stderr = this.#child.stderr
    this.#child.on('message', (message) => this.emit('message', message))
    this.#child.on('spawn', () => {
      this.#spawned = true
      this.emit('spawn')
    })
    this.#child.on('close', (code, signal) =>
      this.emit('exit', signal === null ? code : constants.signals[signal]),
    )
  }

  /** Known once it has spawned, as Electron has it. */
  get pid(): number | undefined {
    return this.#spawned ? this.#child.pid : undefined
  }

  postMessage(message: unknown): void {
    this.#child.send(message as object, () => undefined)
  }

  kill(): boolean {
    return this.#child.kill('SIGTERM')
  }
}

export const utilityProcess = {
  fork: (entry: string, _args: string[], options: ForkOptions) => new FakeUtilityProcess(entry, options),
}
