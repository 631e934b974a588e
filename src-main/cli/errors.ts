// How the command line ends: 0 done, 1 failed, 2 wrong usage, 130 interrupted (what was learnt is kept).
import { CommanderError } from 'commander'
import { GyreError, toGyreError, type ErrorShape } from '#shared/contract/errors'

export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** What was asked for can't be meant: the words of `cause`, and exit code 2. */
export class UsageError extends GyreError {
  constructor(cause: GyreError) {
    super(cause.code, cause.message, cause.hint, { cause })
  }
}

/** Runs the reading of arguments: what it finds wrong is wrong usage. */
export function usage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof GyreError ? new UsageError(error) : error
  }
}

export function wrongUsage(message: string, hint?: string): UsageError {
  return new UsageError(new GyreError('invalid-input', message, hint))
}

export interface Ending {
  exitCode: number
  /** Nothing to say for help and version. */
  error: ErrorShape | null
}

export function endingOf(thrown: unknown): Ending {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return { exitCode: 0, error: null }
    const message = thrown.message.replace(/^error: /, '')
    return { exitCode: exitCodes.usage, error: { code: 'invalid-input', message } }
  }
  const error = toGyreError(thrown)
  const exitCode = thrown instanceof UsageError ? exitCodes.usage : exitCodes.failed
  return { exitCode, error: error.toShape() }
}
