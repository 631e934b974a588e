// Waiting for a graphics card in the middle of a synchronous call. Dawn finishes what it was asked for inside callbacks
// that it hands to `setImmediate`, one at a time; whoever calls them himself need not go back to the event loop.
import { setImmediate as nextTurn } from 'node:timers/promises'

type Tick = () => void

/** Turns of the busy wait before it begins to sleep between them: short work ends within these. */
const busyTurns = 200
const sleepMs = 0.05

const sleeper = new Int32Array(new SharedArrayBuffer(4))

export class DawnEvents {
  readonly #ticks: Tick[] = []

  /** Calls `start`, which begins asynchronous work of Dawn, and keeps the callback that Dawn wants called for it. */
  begin<T>(start: () => T): T {
    const usual = globalThis.setImmediate
    const keep = (tick: Tick): void => void this.#ticks.push(tick)
    globalThis.setImmediate = keep as unknown as typeof setImmediate
    try {
      return start()
    } finally {
      globalThis.setImmediate = usual
    }
  }

  /** Returns when `done` is true. Work that `begin` did not begin can't be waited for: throws. */
  waitUntil(done: () => boolean): void {
    for (let turn = 0; !done(); turn++) {
      this.#tick()
      if (turn > busyTurns) Atomics.wait(sleeper, 0, 0, sleepMs)
    }
  }

  /** Begins asynchronous work of Dawn and gives its outcome, with other work having its turn meanwhile. */
  async settled<T>(start: () => Promise<T>): Promise<T> {
    const work = this.begin(start)
    let over = false
    const end = (): void => void (over = true)
    work.then(end, end)
    await this.until(() => over)
    return work
  }

  /** As `waitUntil`, but other work has its turn meanwhile. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.#ticks.length > 0) this.#tick()
      await nextTurn()
    }
  }

  #tick(): void {
    const ticks = this.#ticks.splice(0)
    if (ticks.length === 0) throw new Error('Dawn waits for an event that this thread does not hold.')
    this.begin(() => {
      for (const tick of ticks) tick()
    })
  }
}
