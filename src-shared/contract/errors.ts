// The one error type that crosses a boundary: a stable code, a sentence for people, and the way out.
import { z } from 'zod'

export const errorCodes = [
  'invalid-input',
  'not-found',
  'busy',
  'cancelled',
  'unsupported',
  'unreadable',
  'corrupt',
  'no-space',
  'permission',
  'engine-unavailable',
  'out-of-memory',
  'diverged',
  'unauthorized',
  'too-large',
  'disconnected',
  'internal',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** Wire form of an error. Unknown codes from a newer peer are read as `internal`. */
export const errorShape = z.object({
  code: z.enum(errorCodes).catch('internal'),
  message: z.string(),
  hint: z.string().optional(),
})

export type ErrorShape = z.infer<typeof errorShape>

/** An expected failure: `message` names the thing, `hint` the way out. */
export class GyreError extends Error {
  override readonly name = 'GyreError'

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }

  toShape(): ErrorShape {
    return this.hint === undefined
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, hint: this.hint }
  }

  static fromShape(shape: ErrorShape): GyreError {
    return new GyreError(shape.code, shape.message, shape.hint)
  }
}

/** Any thrown value as a GyreError; what was not expected becomes `internal` and keeps its message. */
export function toGyreError(thrown: unknown): GyreError {
  if (thrown instanceof GyreError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new GyreError('internal', message, undefined, { cause: thrown })
}
