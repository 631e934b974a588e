// Pause, resume and stop: requests come in as messages between steps, the loop answers them at its next gate.
// Knows nothing of training.
import { GyreError } from '#shared/contract/errors'

interface Waiter {
  promise: Promise<void>
  resolve: () => void
}

function waiter(): Waiter {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}

export class TrainControl {
  #wanted: 'run' | 'pause' | 'stop' = 'run'
  readonly #stop = new AbortController()
  #paused: Waiter | null = null
  #change = waiter()
  readonly #ended = waiter()

  /** Aborted when a stop is asked for: long work inside the loop watches it. */
  get stopSignal(): AbortSignal {
    return this.#stop.signal
  }

  get stopping(): boolean {
    return this.#wanted === 'stop'
  }

  get pausing(): boolean {
    return this.#wanted === 'pause'
  }

  /** Resolves once the loop stands still, or has ended. */
  async pause(): Promise<void> {
    if (this.#wanted === 'stop') return
    this.#wanted = 'pause'
    this.#paused ??= waiter()
    await Promise.race([this.#paused.promise, this.#ended.promise])
  }

  resume(): void {
    if (this.#wanted === 'pause') this.#set('run')
  }

  /** Resolves once the loop has ended. */
  async stop(): Promise<void> {
    if (this.#wanted !== 'stop') {
      this.#set('stop')
      this.#stop.abort(new GyreError('cancelled', 'Training was stopped.'))
    }
    await this.#ended.promise
  }

  #set(wanted: 'run' | 'stop'): void {
    this.#wanted = wanted
    this.#paused?.resolve()
    this.#paused = null
    this.#change.resolve()
    this.#change = waiter()
  }

  /** For the loop: it stands still now; returns when it may go on or should stop. */
  async standStill(): Promise<void> {
    while (this.pausing) {
      const change = this.#change.promise
      this.#paused?.resolve()
      await change
    }
  }

  /** For the loop: it is over. */
  end(): void {
    this.#ended.resolve()
  }
}
