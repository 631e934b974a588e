// Codes used over tumbling windows of training steps: one epoch, or 100 steps where an epoch is longer. One batch
// alone says nothing about usage. Windows end at fixed steps, so that stops do not move them.
import { codeStatistics, countCodes } from './metrics'
import type { CodeWindow } from './state'

const longestWindowSteps = 100

export interface WindowFigures {
  usage: number
  perplexity: number
  dead: number
  /** Only with revival. */
  revived?: number
}

/** Steps in a window. */
export function windowSteps(stepsPerEpoch: number): number {
  return Math.max(1, Math.min(stepsPerEpoch, longestWindowSteps))
}

export class CodeWindows {
  readonly length: number
  #counts: Float64Array
  #from: number
  #to: number
  #revived = 0
  #last: CodeWindow | null = null

  constructor(codebookSize: number, stepsPerEpoch: number) {
    this.length = windowSteps(stepsPerEpoch)
    this.#counts = new Float64Array(codebookSize)
    this.#from = 0
    this.#to = 0
  }

  restore(running: CodeWindow, last: CodeWindow | null): void {
    this.#counts = Float64Array.from(running.counts)
    this.#from = running.from
    this.#to = running.to
    this.#revived = running.revived
    this.#last = last
  }

  /** Counts the codes of one step (`revived`: null without revival); figures when a window ends with it. */
  add(step: number, indices: ArrayLike<number>, revived: number | null = null): WindowFigures | null {
    countCodes(this.#counts, indices)
    this.#to = step
    this.#revived += revived ?? 0
    if (step % this.length !== 0) return null
    this.#last = this.running
    const { used, usage, perplexity } = codeStatistics(this.#counts)
    this.#counts = new Float64Array(this.#counts.length)
    this.#from = step
    this.#revived = 0
    const figures = { usage, perplexity, dead: this.#counts.length - used }
    return revived === null ? figures : { ...figures, revived: this.#last.revived }
  }

  get running(): CodeWindow {
    return { from: this.#from, to: this.#to, counts: Array.from(this.#counts), revived: this.#revived }
  }

  get last(): CodeWindow | null {
    return this.#last
  }
}

type Counted = Pick<CodeWindow, 'from' | 'to' | 'counts'>

/** Dead codes by the last complete window (or the one under way), and that window in words. */
export function deadCodes(state: { window: Counted; lastWindow: Counted | null }): {
  flags: Int32Array
  window: string
} {
  const { counts, from, to } = state.lastWindow ?? state.window
  const flags = Int32Array.from(counts, (count) => (count === 0 ? 1 : 0))
  if (to === from && state.lastWindow === null)
    return { flags: flags.fill(0), window: 'no training step yet, so no code counts as dead' }
  const steps = `training steps ${from + 1} to ${to}`
  return { flags, window: state.lastWindow ? steps : `${steps} (the first window, not complete yet)` }
}
