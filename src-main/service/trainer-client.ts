// The service's end of the trainer: starts it on demand, loads the engine that is wished for, and turns a crash
// into an error for every call under way. The next call starts a fresh one. Knows no run and no queue.
import type { EngineWish } from '#shared/contract/common'
import type { Client } from '#shared/contract/define'
import { GyreError } from '#shared/contract/errors'
import type { EngineUsed } from '#shared/contract/files'
import { trainerContract, type TrainerContract } from '#shared/contract/trainer'
import { createClient } from '#shared/rpc/index'
import { TrainerCrash } from './trainer-crash'
import type { ChosenHost, TrainerProcess } from './trainer-host'

export type Trainer = Client<TrainerContract>['trainer']

interface Loaded {
  process: TrainerProcess
  trainer: Trainer
  engine: EngineUsed
  users: number
  /** What its engine failed with: what is left of it is not to be trusted. */
  failure: GyreError | null
}

/** What `use` hands out besides the trainer. */
export interface Lent {
  engine: EngineUsed
  /** Of the trainer's own process; null in a thread of this one. */
  pid: number | null
}

/** Errors after which an engine does not compute any more. */
const failedEngine: ReadonlySet<string> = new Set(['engine-unavailable', 'out-of-memory'])

interface Choice {
  id: EngineWish
  reason: string
}

/** Resolves a wish without loading anything. */
export type ChooseEngine = (wish: EngineWish) => Promise<Choice>

export class TrainerClient {
  readonly #host: ChosenHost
  readonly #choose: ChooseEngine
  #loaded: Loaded | null = null
  /** Loads and replacements happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #idle: (() => void)[] = []
  #closed = false

  constructor(host: ChosenHost, choose: ChooseEngine) {
    this.#host = host
    this.#choose = choose
  }

  /** The engine that is loaded now. */
  get engine(): EngineUsed | null {
    return this.#loaded?.engine ?? null
  }

  /** The loaded trainer, for looking only, and whether it runs in a process of its own. */
  get current(): { trainer: Trainer; isApart: boolean } | null {
    if (!this.#loaded) return null
    const { trainer, process } = this.#loaded
    return { trainer, isApart: process.isolation === 'process' }
  }

  /** The engine that somebody computes on right now. */
  get engineInUse(): EngineUsed | null {
    return this.#loaded && this.#loaded.users > 0 ? this.#loaded.engine : null
  }

  /**
   * Runs `work` with a trainer whose engine fits `wish` (`any`: whatever is loaded, else `auto`). If another engine
   * is loaded, waits until nobody uses it. A crash rejects with its reason.
   */
  async use<T>(
    wish: EngineWish | 'any',
    work: (trainer: Trainer, lent: Lent) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const acquire = this.#turn.then(() => this.#acquire(wish, signal))
    this.#turn = acquire.catch(() => undefined)
    const { loaded, engine } = await acquire
    try {
      return await work(loaded.trainer, { engine, pid: loaded.process.pid })
    } catch (error) {
      const explained = await this.#explain(loaded, error)
      // A graphics card that was lost, or memory that is full, serves nobody any more: the next one starts afresh.
      if (explained instanceof GyreError && failedEngine.has(explained.code)) {
        loaded.failure ??= explained
        await loaded.process.kill()
      }
      throw explained
    } finally {
      loaded.users -= 1
      if (loaded.users === 0) for (const wake of this.#idle.splice(0)) wake()
    }
  }

  /** Ends the trainer if its engine is `id`, so that nothing here holds that engine. Throws `busy` while it works. */
  async release(id: string): Promise<void> {
    await this.#turn
    const loaded = this.#loaded
    if (loaded?.engine.id !== id) return
    if (loaded.users > 0)
      throw new GyreError('busy', 'A run or an inspection is using this engine.', 'Stop it and try again.')
    await loaded.process.kill()
    if (this.#loaded === loaded) this.#loaded = null
  }

  /** Ends the trainer; calls under way reject. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#turn
    await this.#loaded?.process.kill()
  }

  /** A lost connection means the trainer died: wait a moment for the reason. */
  async #explain(loaded: Loaded, error: unknown): Promise<unknown> {
    if (!(error instanceof GyreError) || error.code !== 'disconnected') return error
    const reason = await loaded.process.ended
    if (reason !== null || loaded.failure === null)
      return reason ?? new GyreError('cancelled', 'The trainer was closed.')
    // It was ended because other work on it had failed.
    return new TrainerCrash(loaded.failure.code, loaded.failure.message, loaded.failure.hint)
  }

  async #acquire(
    wish: EngineWish | 'any',
    signal?: AbortSignal,
  ): Promise<{ loaded: Loaded; engine: EngineUsed }> {
    for (;;) {
      signal?.throwIfAborted()
      if (this.#closed) throw new GyreError('cancelled', 'Gyre is closing.')
      const present = this.#loaded
      if (wish === 'any' && present?.failure === null) {
        present.users += 1
        return { loaded: present, engine: present.engine }
      }
      const concrete = wish === 'any' ? 'auto' : wish
      const choice = await this.#choose(concrete)
      if (present && (await this.#fits(present, choice)) && present === this.#loaded) {
        present.users += 1
        return { loaded: present, engine: { ...present.engine, reason: choice.reason } }
      }
      if (!present) {
        await this.#start(choice)
        continue
      }
      if (present.users > 0)
        await new Promise<void>((resolve) => {
          this.#idle.push(resolve)
          signal?.addEventListener('abort', () => resolve(), { once: true })
        })
      else await present.process.kill()
      if (this.#loaded === present && present.users === 0) this.#loaded = null
    }
  }

  async #fits({ process, engine, failure }: Loaded, { id }: Choice): Promise<boolean> {
    return failure === null && engine.id === id && (await this.#host.fits(process, id))
  }

  /** Loads what was chosen, not the wish: the trainer might find another answer to it. */
  async #start({ id, reason }: Choice): Promise<void> {
    const process = await this.#host.start(id)
    const client = createClient(trainerContract, process.transport)
    try {
      const engine = { ...(await client.trainer.load({ engine: id })), reason }
      const loaded: Loaded = { process, trainer: client.trainer, engine, users: 0, failure: null }
      this.#loaded = loaded
      void process.ended.then(() => {
        if (this.#loaded === loaded) this.#loaded = null
        for (const wake of this.#idle.splice(0)) wake()
      })
    } catch (error) {
      const crash = error instanceof GyreError && error.code === 'disconnected' ? await process.ended : null
      if (crash) throw crash
      await process.kill()
      throw error
    }
  }
}
