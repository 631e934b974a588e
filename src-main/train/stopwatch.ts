// Time spent training, over all the starts of a run; stands still while the run is paused or saved.

export class Stopwatch {
  #beforeMs = 0
  #startedAt: number | null = null

  get elapsedMs(): number {
    return this.#beforeMs + (this.#startedAt === null ? 0 : performance.now() - this.#startedAt)
  }

  restore(elapsedMs: number): void {
    this.#beforeMs = elapsedMs
  }

  start(): void {
    this.#startedAt ??= performance.now()
  }

  stop(): void {
    this.#beforeMs = this.elapsedMs
    this.#startedAt = null
  }
}
