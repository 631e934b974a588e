// The engines as the window sees them: their state, which one a wish leads to, installing, removing, testing, and
// reference vectors on them. What computes for a test runs in a trainer of its own, so that no run has to wait or is disturbed.
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { EngineCheck, EngineWish } from '#shared/contract/common'
import type { EngineStatus } from '#shared/contract/app'
import { GyreError } from '#shared/contract/errors'
import type { EngineUsed } from '#shared/contract/files'
import { trainerContract } from '#shared/contract/trainer'
import type { VectorKind, Verification, VerifiedCase } from '#shared/contract/verify'
import { createClient } from '#shared/rpc/index'
import {
  chooseEngine,
  engineNames,
  engineStatus,
  installEngine,
  listEngines,
  removeEngine,
  type EngineId,
  type EngineOptions,
  type InstallOptions,
} from '#main/engine/index'
import type { Jobs, StartedJob } from './jobs'
import type { Trainer } from './trainer-client'
import type { ChosenHost } from './trainer-host'

/** The reference vectors that come with Gyre, beside the folder of the built trainer. */
export function bundledVectors(trainerEntry: string | URL): string {
  const entry = typeof trainerEntry === 'string' ? pathToFileURL(trainerEntry) : trainerEntry
  return fileURLToPath(new URL('../../resources/vectors/estimators.json', entry))
}

/** The worst error of a case, and whether it is within the bounds. */
function checkOf({ name, dim, quantities, pass }: VerifiedCase): EngineCheck {
  const error = Math.max(...Object.values(quantities).map(({ rel }) => rel ?? Number.MAX_VALUE), 0)
  return { name: `${name}, ${dim} dimensions`, error, pass }
}

export class Engines {
  /** Trainers of our own that compute on an engine now. */
  readonly #busy = new Map<EngineId, number>()

  constructor(
    private readonly jobs: Jobs,
    private readonly options: EngineOptions,
    private readonly host: ChosenHost,
    private readonly vectors: string,
    /** Makes the trainer let go of an engine; rejects while it works on it. */
    private readonly release: (id: EngineId) => Promise<void>,
  ) {}

  list(): Promise<EngineStatus[]> {
    return listEngines(this.options)
  }

  choose(wish: EngineWish): Promise<{ id: EngineId; reason: string }> {
    return chooseEngine(wish, this.options)
  }

  /** What a wish leads to, without loading it. */
  async chosen(wish: EngineWish): Promise<EngineUsed> {
    const { id, reason } = await this.choose(wish)
    const { version, device } = await engineStatus(id, this.options)
    return { id, name: engineNames[id], version, device, reason }
  }

  /** `source`: wheel files that the person has, or another package index. */
  install(
    id: EngineId,
    source: Pick<InstallOptions, 'wheelFolder' | 'indexUrl'> = {},
  ): StartedJob<EngineStatus> {
    return this.jobs.start({ kind: 'engine-install', title: `Installing ${engineNames[id]}` }, (job) =>
      installEngine(id, {
        ...{ ...this.options, ...source },
        signal: job.signal,
        onProgress: ({ message, done, total, unit }) => job.update({ phase: message, done, total, unit }),
      }),
    )
  }

  /** Throws `busy` while something computes on the engine, here or in another Gyre. */
  async remove(id: EngineId): Promise<EngineStatus> {
    if ((this.#busy.get(id) ?? 0) > 0)
      throw new GyreError('busy', 'This engine is being tested.', 'Wait until the test is over.')
    await this.release(id)
    return removeEngine(id, { ...this.options, idleHere: true })
  }

  /** Compares a few operations with float64, then the gradient estimators with reference vectors. */
  test(id: EngineId): Promise<{ pass: boolean; checks: EngineCheck[] }> {
    return this.#with(id, async (trainer) => {
      const arithmetic = await trainer.examine()
      const estimators = await trainer.verify({ kind: 'estimators', file: this.vectors })
      return {
        pass: arithmetic.every(({ pass }) => pass) && estimators.pass,
        checks: [...arithmetic, ...estimators.cases.map(checkOf)],
      }
    })
  }

  /** Runs the reference vectors in `file` (absolute) on the engine that a wish leads to. */
  verify(
    wish: EngineWish,
    kind: VectorKind,
    file: string,
    signal?: AbortSignal,
  ): Promise<Verification & { engine: EngineUsed }> {
    const work = async (
      trainer: Trainer,
      engine: EngineUsed,
    ): Promise<Verification & { engine: EngineUsed }> => ({
      engine,
      ...(await trainer.verify({ kind, file })),
    })
    return this.#with(wish, work, signal)
  }

  /** Work on a trainer of its own. */
  async #with<T>(
    wish: EngineWish,
    work: (trainer: Trainer, engine: EngineUsed) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { id, reason } = await this.choose(wish)
    this.#busy.set(id, (this.#busy.get(id) ?? 0) + 1)
    const started = await this.host.start(id)
    const stop = (): void => void started.kill()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const { trainer } = createClient(trainerContract, started.transport)
      return await work(trainer, { ...(await trainer.load({ engine: id })), reason })
    } catch (error) {
      signal?.throwIfAborted()
      const crash = error instanceof GyreError && error.code === 'disconnected' ? await started.ended : null
      throw crash ?? error
    } finally {
      signal?.removeEventListener('abort', stop)
      await started.kill()
      this.#busy.set(id, (this.#busy.get(id) ?? 1) - 1)
    }
  }
}
