// The trainer as one of Electron's utility processes: a packaged app's own Node can't be started as a plain process.
import { utilityProcess } from 'electron'
import { constants } from 'node:os'
import { makeTransport } from '#shared/rpc/message'
import { processTrainer, trainerEnvironment } from '#main/service/process-host'
import { faultSignals } from '#main/service/trainer-crash'
import type { TrainerHost, TrainerProcess } from '#main/service/trainer-host'

/**
 * A POSIX wait status as Electron passes it on: the signal in the low seven bits, else an exit code above them. An exit
 * by Node itself comes as its plain code, so only signals that end a program that went wrong are read.
 */
export function readStatus(status: number): { code: number | null; signal: NodeJS.Signals | null } {
  if (process.platform === 'win32') return { code: status, signal: null }
  const signal = [...faultSignals, 'SIGKILL' as const].find(
    (name) => constants.signals[name] === (status & 0x7f),
  )
  if (status < 0x100 && signal) return { code: null, signal }
  return { code: status >= 0x100 ? status >> 8 : status, signal: null }
}

async function startUtility(entry: string): Promise<TrainerProcess> {
  const child = utilityProcess.fork(entry, [], {
    serviceName: 'Gyre trainer',
    env: trainerEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    // TensorFlow's libraries are signed by nobody, or by somebody else.
    allowLoadingUnsignedLibraries: true,
  })
  const { transport, receive, ended } = makeTransport({
    send: (message) => child.postMessage(message),
    close: () => child.kill(),
  })
  child.on('message', receive)
  const exit = new Promise<number>((resolve) => child.once('exit', resolve))
  void exit.then(ended)
  const streams = [child.stdout, child.stderr]
  // Its process id is known from then on.
  await Promise.race([new Promise<void>((resolve) => child.once('spawn', resolve)), exit])
  return processTrainer({
    pid: child.pid ?? null,
    transport,
    streams,
    exit: exit.then(readStatus),
    kill: () => child.kill(),
  })
}

/** Runs the built trainer (dist/main/trainer.js) in a utility process. */
export function utilityHost(entry: string): TrainerHost {
  return { start: () => startUtility(entry) }
}
