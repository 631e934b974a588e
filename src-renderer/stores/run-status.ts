// What a run's status means for people. Pure.
import type { RunStatus } from '#shared/contract/files'

const words: Record<RunStatus, string> = {
  created: 'waiting',
  preparing: 'preparing',
  running: 'training',
  paused: 'paused',
  stopped: 'stopped',
  finished: 'finished',
  interrupted: 'interrupted',
  failed: 'failed',
  diverged: 'diverged',
}

export const statusWord = (status: RunStatus): string => words[status]

/** Holds the trainer, or will. */
export const isActive = (status: RunStatus): boolean =>
  status === 'created' || status === 'preparing' || status === 'running' || status === 'paused'

/** Ended in a way that needs a look. */
export const isTrouble = (status: RunStatus): boolean =>
  status === 'interrupted' || status === 'failed' || status === 'diverged'
