// Work that tests or measures an engine needs the machine for itself and must never slow a run down: it begins only while
// nothing else computes, one at a time, and ends at once when a run begins. Knows no engine.
import { GyreError } from '#shared/contract/errors'

const wait = 'Wait until it is over, or stop it, and try again.'

export class Quiet {
  #under: AbortController | null = null

  /** @param busyWith What computes now, as a sentence; null where nothing does. */
  constructor(private readonly busyWith: () => Promise<string | null>) {}

  /** Throws `busy` while something else computes, and when a run begins before `work` has ended. */
  async use<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#under) throw new GyreError('busy', 'An engine is being tested or measured.', wait)
    // Noted before looking, so that a run which begins meanwhile is not missed.
    const controller = new AbortController()
    this.#under = controller
    try {
      const busy = await this.busyWith()
      if (busy !== null) throw new GyreError('busy', busy, wait)
      controller.signal.throwIfAborted()
      return await work(signal ? AbortSignal.any([signal, controller.signal]) : controller.signal)
    } finally {
      this.#under = null
    }
  }

  /** A run begins: whatever is under way ends now. */
  giveWay(runName: string): void {
    this.#under?.abort(
      new GyreError(
        'busy',
        `The test or measurement of an engine was ended, because the run “${runName}” began.`,
        'Try again when the run is over.',
      ),
    )
  }
}
