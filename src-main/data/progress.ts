// Progress of long work, told often enough for a bar and not more.
import { GyreError } from '#shared/contract/errors'

export interface Progress {
  phase: string
  done: number
  /** 0 while it is not known. */
  total: number
  unit: string
}

export interface WorkOptions {
  onProgress?: (progress: Progress) => void
  /** Told in words what went wrong on the way and was made good. */
  onNotice?: (words: string) => void
  signal?: AbortSignal
}

const intervalMs = 100

export interface Reporter {
  /** Tells that `done` of the work is done. The first and the last call always get through. */
  report(done: number, total: number): void
  finish(done: number, total?: number): void
}

export function createReporter(options: WorkOptions, phase: string, unit: string): Reporter {
  let toldMs = -Infinity
  const tell = (done: number, total: number): void => options.onProgress?.({ phase, done, total, unit })
  return {
    report(done, total) {
      const nowMs = performance.now()
      if (nowMs - toldMs < intervalMs) return
      toldMs = nowMs
      tell(done, total)
    },
    finish: (done, total = done) => tell(done, total),
  }
}

/** Passes on that a decoder ended. */
export function noticeCrash(options: WorkOptions, crash: string | undefined): void {
  if (crash !== undefined)
    options.onNotice?.(`A decoder stopped (${crash}) and was started again; its files are read one by one`)
}

/** @throws GyreError `cancelled` once the signal is aborted */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new GyreError('cancelled', 'Cancelled.')
}
