// Times several sides in one run, in turn: a few steps of each, round after round, so that whatever else the machine does
// falls on all of them alike.
import { median } from '#shared/median'
import type { OpenSide, Side } from './sides'

export interface Plan {
  rounds: number
  /** About how long a side's turn lasts: at least one step, at most twenty. */
  turnMs: number
  /** One process at a time, for models that do not fit beside each other: a side's turns are then all in one round. */
  alone?: boolean
}

export interface Measured {
  name: string
  owner: Side['owner']
  precision: Side['precision']
  /** From the start of the process to the numbers of the first step. */
  firstStepMs: number
  minMs: number
  medianMs: number
  steps: number
  /** The median of each round. */
  roundMs: number[]
  /** Share of the time that is a wait for images; Gyre's alone, the peer's batches lie in memory. */
  dataWaitFraction: number | null
  peakRssBytes: number
}

/** A side that could not be measured, and why. */
export interface Missing {
  name: string
  owner: Side['owner']
  precision: Side['precision']
  missing: string
}

export type Result = Measured | Missing

export const isMeasured = (result: Result): result is Measured => !('missing' in result)

class Turns {
  readonly side: Side
  readonly #stepMs: number[] = []
  readonly #roundMs: number[] = []
  #waitMs: number | null = null
  #firstStepMs = 0
  #peakRssBytes = 0
  #stepsPerTurn = 1
  #open: OpenSide | null = null
  missing: string | null = null

  constructor(side: Side) {
    this.side = side
  }

  /** Starts the process and takes the steps that do not count. */
  async start({ turnMs, alone }: Plan): Promise<void> {
    const startedAt = performance.now()
    try {
      this.#open = await this.side.open()
      await this.#open.take(1)
      this.#firstStepMs = performance.now() - startedAt
      // Steps of half a minute are worth one less.
      const { stepMs } = await this.#open.take(this.side.warmUp - (alone ? 1 : 0))
      this.#stepsPerTurn = Math.max(1, Math.min(20, Math.round(turnMs / Math.min(...stepMs))))
    } catch (error) {
      this.missing = error instanceof Error ? error.message : String(error)
      await this.end()
    }
  }

  async turn(): Promise<void> {
    if (!this.#open || this.missing !== null) return
    const { stepMs, waitMs, peakRssBytes } = await this.#open.take(this.#stepsPerTurn)
    this.#stepMs.push(...stepMs)
    this.#roundMs.push(median(stepMs))
    for (const ms of waitMs ?? []) this.#waitMs = (this.#waitMs ?? 0) + ms
    this.#peakRssBytes = Math.max(this.#peakRssBytes, peakRssBytes)
  }

  async end(): Promise<void> {
    const open = this.#open
    this.#open = null
    await open?.close()
  }

  get result(): Result {
    const { name, owner, precision } = this.side
    if (this.missing !== null) return { name, owner, precision, missing: this.missing }
    const allMs = this.#stepMs.reduce((a, b) => a + b, 0)
    return {
      ...{ name, owner, precision },
      firstStepMs: this.#firstStepMs,
      minMs: Math.min(...this.#stepMs),
      medianMs: median(this.#stepMs),
      steps: this.#stepMs.length,
      roundMs: this.#roundMs,
      dataWaitFraction: this.#waitMs === null ? null : this.#waitMs / allMs,
      peakRssBytes: this.#peakRssBytes,
    }
  }
}

/** Measures every side; what goes wrong on one is told in its result. `say` hears what is going on. */
export async function interleave(
  sides: readonly Side[],
  plan: Plan,
  say: (line: string) => void,
): Promise<Result[]> {
  const { rounds, alone = false } = plan
  const all = sides.map((side) => new Turns(side))
  try {
    for (const turns of all) {
      await turns.start(plan)
      const { name } = turns.side
      say(turns.missing === null ? `  ${name}: started` : `  ${name}: ${turns.missing}`)
      if (!alone) continue
      for (let round = 0; round < rounds; round++) await turns.turn()
      await turns.end()
    }
    // Who is first changes from round to round: nobody gains from a place.
    for (let round = 0; round < rounds && !alone; round++)
      for (let i = 0; i < all.length; i++) await all[(i + round) % all.length]?.turn()
  } finally {
    for (const turns of all) await turns.end()
  }
  return all.map(({ result }) => result)
}
