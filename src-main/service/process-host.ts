// The trainer as a process of its own, started by Node: a fault in native code, or the end of memory, ends it alone. The
// shell starts it with Electron's means instead; `processTrainer` is what both share.
import { fork } from 'node:child_process'
import { nodePortTransport, type Transport } from '#shared/rpc/index'
import { crashOfProcess } from './trainer-crash'
import type { TrainerHost, TrainerProcess } from './trainer-host'

/** As the person has set it: an engine that a thread has loaded changes the environment of the whole process. */
const { TF_CPP_MIN_LOG_LEVEL: logLevel } = process.env

/** The environment of a trainer's process: this one's, as it was before any engine was loaded. */
export function trainerEnvironment(): Record<string, string> {
  const set: NodeJS.ProcessEnv = { ...process.env, TF_CPP_MIN_LOG_LEVEL: logLevel }
  return Object.fromEntries(
    Object.entries(set).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** Enough for the stack of an error that nobody caught. */
const keptWords = 4000

/** Where a process tells what went wrong. */
export interface Speaking {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
}

export interface StartedProcess {
  pid: number | null
  transport: Transport
  /** What it writes; passed on to stderr, since stdout belongs to the command line's result alone. */
  streams: readonly (Speaking | null)[]
  /** Resolves when it is gone. */
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  kill: () => void
}

/** A trainer over a process that has been started. */
export function processTrainer({ pid, transport, streams, exit, kill }: StartedProcess): TrainerProcess {
  let killed = false
  let lastWords = ''
  for (const stream of streams)
    stream?.on('data', (chunk) => {
      process.stderr.write(chunk)
      lastWords = (lastWords + chunk.toString()).slice(-keptWords)
    })
  const ended = exit.then((end) => (killed ? null : crashOfProcess({ ...end, lastWords })))
  return {
    isolation: 'process',
    pid,
    transport,
    ended,
    kill: async () => {
      killed = true
      kill()
      await exit
    },
  }
}

/** What a child says in place of a port's events; `error` where it could not be started at all. */
const childEvents: Readonly<Record<string, string>> = { close: 'disconnect', exit: 'error' }

function startProcess(entry: string | URL): TrainerProcess {
  const child = fork(entry, [], {
    // The flags of this process, of a debugger or a test runner, are not the trainer's.
    execArgv: [],
    env: trainerEnvironment(),
    // Typed arrays cross as they are.
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const transport = nodePortTransport({
    // A child that is gone takes no more messages: its calls end when the transport closes.
    postMessage: (message) => void child.send(message as object, () => undefined),
    on: (type: string, listener: (message: unknown) => void) => child.on(childEvents[type] ?? type, listener),
    close: () => {
      if (child.connected) child.disconnect()
    },
  })
  // Not `exit`: by `close` everything that it wrote has been read.
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
    child.on('error', () => resolve({ code: 1, signal: null }))
  })
  // Who hangs in native code does not notice that nobody is left.
  const end = (): void => void child.kill('SIGKILL')
  process.on('exit', end)
  child.on('close', () => process.off('exit', end))
  return processTrainer({
    pid: child.pid ?? null,
    transport,
    streams: [child.stdout, child.stderr],
    exit,
    kill: () => child.kill('SIGKILL'),
  })
}

/** Runs the built trainer (dist/main/trainer.js) in a process of its own. Not for Electron, whose Node is locked. */
export function processHost(entry: string | URL): TrainerHost {
  return { start: () => Promise.resolve(startProcess(entry)) }
}
