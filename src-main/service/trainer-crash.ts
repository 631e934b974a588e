// A trainer that ended without being asked to: what is said about it, from how it ended. Starts and ends nothing.
import { GyreError } from '#shared/contract/errors'

/** The trainer is gone, with everything it was doing. */
export class TrainerCrash extends GyreError {}

/** Native code did what a processor forbids: a mistake in it, or memory that it did not get. */
export class NativeFault extends TrainerCrash {}

/** How a process ended, and the last of what it wrote on stderr. */
export interface ProcessEnd {
  code: number | null
  signal: NodeJS.Signals | null
  lastWords: string
}

const resume = 'Resume the run: it goes on from its last checkpoint.'
const smaller = 'Use a smaller batch size or image size.'

/** What native code and V8 write when an allocation fails and they give up. */
const outOfMemoryWords = /std::bad_alloc|out of memory|cannot allocate memory/i

/** Signals by which a processor or a library ends a program that went wrong. */
export const faultSignals: readonly NodeJS.Signals[] = [
  'SIGSEGV',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGABRT',
  'SIGTRAP',
]

/** An error that a worker thread ended with. */
export function crashOfThread(error: unknown): TrainerCrash {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_WORKER_OUT_OF_MEMORY')
    return new TrainerCrash('out-of-memory', 'The trainer ran out of memory.', smaller, { cause: error })
  const message = error instanceof Error ? error.message : String(error)
  return new TrainerCrash('internal', `The trainer stopped unexpectedly: ${message}`, resume, {
    cause: error,
  })
}

/** Null after an orderly end. */
export function crashOfProcess({ code, signal, lastWords }: ProcessEnd): TrainerCrash | null {
  if (code === 0) return null
  if (outOfMemoryWords.test(lastWords))
    return new TrainerCrash('out-of-memory', 'The trainer ran out of memory.', smaller)
  if (signal === 'SIGKILL')
    return new TrainerCrash(
      'out-of-memory',
      'The trainer was ended from outside, as the operating system does where memory runs out.',
      smaller,
    )
  if (signal !== null && faultSignals.includes(signal))
    return new NativeFault(
      'internal',
      `The trainer stopped because of a fault in native code (${signal}).`,
      `${resume} If it happens again, a smaller batch size may help, or another engine.`,
    )
  const words = thrownWords(lastWords) ?? signal ?? `exit code ${code ?? 'unknown'}`
  return new TrainerCrash('internal', `The trainer stopped unexpectedly: ${words}`, resume)
}

/** The message of an error that nobody caught, as Node prints it: `Error: message`. */
function thrownWords(lastWords: string): string | null {
  return /^(?:Uncaught )?\w*Error(?: \[\w+\])?: (.+)$/m.exec(lastWords)?.[1] ?? null
}
