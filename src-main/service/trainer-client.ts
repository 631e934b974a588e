// The service's end of the trainer: starts it on demand, loads the engine that is wished for, and turns a crash
// into an error for every call under way. The next call starts a fresh one. Knows no run and no queue.
import type { EngineId, EngineWish } from '#shared/contract/common'
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

/**
 * Whether others who compute there must not suffer: TensorFlow on the processor gives back what it did get, and is as it
 * was before. A run must not end because the memory was too small for a look at something else.
 */
const goesOn = ({ engine, users }: Loaded, { code }: GyreError): boolean =>
  code === 'out-of-memory' && engine.id === 'tensorflow-cpu' && users > 1

interface Choice {
  id: EngineId
  reason: string
}

export interface EngineChooser {
  /** Resolves a wish without loading anything. */
  choose(wish: EngineWish): Promise<Choice>
  /** Told of an engine that looked right and did not start: `auto` must lead to another one. */
  passOver(id: EngineId, reason: string): void
}

export class TrainerClient {
  readonly #host: ChosenHost
  readonly #engines: EngineChooser
  #loaded: Loaded | null = null
  #starting: EngineId | null = null
  /** Loads and replacements happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #idle: (() => void)[] = []
  #closed = false

  constructor(host: ChosenHost, engines: EngineChooser) {
    this.#host = host
    this.#engines = engines
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

  /** Whether the engine is loaded here, or is being loaded. */
  holds(id: EngineId): boolean {
    return this.#starting === id || this.#loaded?.engine.id === id
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
      if (explained instanceof GyreError && failedEngine.has(explained.code) && !goesOn(loaded, explained)) {
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
      const choice = await this.#engines.choose(concrete)
      if (present && (await this.#fits(present, choice)) && present === this.#loaded) {
        present.users += 1
        return { loaded: present, engine: { ...present.engine, reason: choice.reason } }
      }
      if (!present) {
        await this.#start(choice).catch((error: unknown) => {
          const other = concrete === 'auto' && choice.id !== 'wasm'
          if (!other || !(error instanceof GyreError) || error.code !== 'engine-unavailable') throw error
          this.#engines.passOver(choice.id, error.message)
        })
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
    this.#starting = id
    try {
      await this.#load(id, reason)
    } finally {
      this.#starting = null
    }
  }

  async #load(id: EngineId, reason: string): Promise<void> {
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
