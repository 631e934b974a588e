// What the pool and its decoder threads say to each other. Types only.
import type { ErrorShape } from '#shared/contract/errors'
import type { ReadRequest } from './read-files'

export type ToDecoder = { kind: 'read'; id: number; request: ReadRequest } | { kind: 'turn' }

export type FromDecoder =
  | { kind: 'ready' }
  // Objects as JSON: cloning many small ones takes three times as long.
  | { kind: 'done'; id: number; files: string; durationMs: number }
  | { kind: 'failed'; id: number; error: ErrorShape }
  | { kind: 'turn-wanted' }
  | { kind: 'turn-over' }
