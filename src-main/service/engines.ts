// The engines as the window sees them: their state, which one a wish leads to, installing, removing, testing, measuring,
// and reference vectors on them. What computes for that runs in a trainer of its own, and never beside a run.
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseConfig, presets } from '#shared/config/index'
import type { EngineCheck, EngineWish } from '#shared/contract/common'
import type { EngineBenchmark, EngineStatus, EngineStorage, EngineTest } from '#shared/contract/engines'
import { GyreError } from '#shared/contract/errors'
import type { EngineUsed } from '#shared/contract/files'
import { trainerContract } from '#shared/contract/trainer'
import type { VectorKind, Verification, VerifiedCase } from '#shared/contract/verify'
import { engineNames } from '#shared/engine-names'
import { createClient } from '#shared/rpc/index'
import {
  chooseEngine,
  engineStatus,
  engineStorage,
  installEngine,
  listEngines,
  removeEngine,
  removeOlderEngine,
  type EngineId,
  type EngineOptions,
  type InstallOptions,
} from '#main/engine/index'
import type { Bench } from './bench'
import { thisMachine, type Benchmarks } from './benchmarks'
import type { JobContext, Jobs, StartedJob } from './jobs'
import type { Quiet } from './quiet'
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

export interface EngineParts {
  jobs: Jobs
  options: EngineOptions
  /** Starts the trainers of tests. */
  host: ChosenHost
  /** File of the reference vectors that a test uses. */
  vectors: string
  bench: Bench
  benchmarks: Benchmarks
  quiet: Quiet
  /** Makes the trainer let go of an engine; rejects while it works on it. */
  release: (id: EngineId) => Promise<void>
  /** Whether the trainer has an engine, or is about to. */
  holds: (id: EngineId) => boolean
  /** How many steps of each kind a measurement takes at most; for tests. */
  benchmarkSteps?: number | undefined
}

/** What is measured: steps that everybody's first run takes, for about a minute. */
const benchmark = { preset: 'quick-look', steps: 60, limitMs: 55_000 } as const

export class Engines {
  readonly #parts: EngineParts
  /** Trainers of our own that compute on an engine now. */
  readonly #busy = new Map<EngineId, number>()
  /** What `auto` passes over, since it did not start. */
  readonly #notStarted = new Map<EngineId, string>()

  constructor(parts: EngineParts) {
    this.#parts = parts
  }

  list(): Promise<EngineStatus[]> {
    return listEngines(this.#parts.options)
  }

  choose(wish: EngineWish): Promise<{ id: EngineId; reason: string }> {
    return chooseEngine(wish, this.#parts.options, this.#notStarted)
  }

  /** From now on `auto` takes another one, until something about this one changes. */
  passOver(id: EngineId, reason: string): void {
    this.#notStarted.set(id, reason)
  }

  /** What a wish leads to, without loading it. */
  async chosen(wish: EngineWish): Promise<EngineUsed> {
    const { id, reason } = await this.choose(wish)
    const { version, device } = await engineStatus(id, this.#parts.options)
    return { id, name: engineNames[id], version, device, reason }
  }

  /** `source`: wheel files that the person has, or another package index. */
  install(
    id: EngineId,
    source: Pick<InstallOptions, 'wheelFolder' | 'indexUrl'> = {},
  ): StartedJob<EngineStatus> {
    return this.#parts.jobs.start(
      { kind: 'engine-install', title: `Installing ${engineNames[id]}`, engineId: id },
      (job) => {
        this.#notStarted.delete(id)
        return installEngine(id, {
          ...{ ...this.#parts.options, ...source },
          signal: job.signal,
          onProgress: ({ message, done, total, unit }) => job.update({ phase: message, done, total, unit }),
        })
      },
    )
  }

  /** Throws `busy` while something computes on the engine, here or in another Gyre. */
  async remove(id: EngineId): Promise<EngineStatus> {
    if ((this.#busy.get(id) ?? 0) > 0)
      throw new GyreError('busy', 'This engine is being tested or measured.', 'Wait until that is over.')
    await this.#parts.release(id)
    const isIdleHere = (): boolean => (this.#busy.get(id) ?? 0) === 0 && !this.#parts.holds(id)
    const status = await removeEngine(id, { ...this.#parts.options, isIdleHere })
    this.#notStarted.delete(id)
    return status
  }

  storage(): Promise<EngineStorage> {
    return engineStorage(this.#parts.options)
  }

  removeOlder(name: string): Promise<void> {
    return removeOlderEngine(name, this.#parts.options)
  }

  /** Compares a few operations with float64, then the gradient estimators with reference vectors. */
  test(id: EngineId, signal?: AbortSignal): Promise<EngineTest> {
    const work = async (trainer: Trainer): Promise<EngineTest> => {
      const arithmetic = await trainer.examine()
      const estimators = await trainer.verify({ kind: 'estimators', file: this.#parts.vectors })
      // It has started, so it may be taken again.
      this.#notStarted.delete(id)
      return {
        pass: arithmetic.every(({ pass }) => pass) && estimators.pass,
        checks: [...arithmetic, ...estimators.cases.map(checkOf)],
      }
    }
    return this.#holding(id, () => this.#parts.quiet.use(signal, (ending) => this.#with(id, work, ending)))
  }

  /** Measures an engine for about a minute and keeps the result. */
  benchmark(id: EngineId): StartedJob<EngineBenchmark> {
    const { jobs, quiet, bench, benchmarks, benchmarkSteps } = this.#parts
    const { preset, steps, limitMs } = { ...benchmark, ...(benchmarkSteps && { steps: benchmarkSteps }) }
    const config = parseConfig(presets.find((one) => one.id === preset)?.config ?? {})
    const measure = async (signal: AbortSignal, job: JobContext): Promise<EngineBenchmark> => {
      const { reason } = await this.choose(id)
      job.update({ phase: 'Starting the engine' })
      const { engine, ...measured } = await bench.measure(
        { config, engine: id, steps, limitMs },
        { signal, update: (progress) => job.update(progress) },
      )
      const found: EngineBenchmark = {
        engine: { ...engine, reason },
        measuredAt: new Date().toISOString(),
        machine: thisMachine(),
        preset,
        batchSize: config.batchSize,
        imageSize: config.imageSize,
        steps: measured,
      }
      await benchmarks.keep(found)
      return found
    }
    return jobs.start({ kind: 'bench', title: `Measuring ${engineNames[id]}`, engineId: id }, (job) =>
      this.#holding(id, () => quiet.use(job.signal, (signal) => measure(signal, job))),
    )
  }

  benchmarks(): Promise<EngineBenchmark[]> {
    return this.#parts.benchmarks.list()
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
    return this.#holding(id, () => this.#inTrainer({ id, reason }, work, signal))
  }

  /** Nobody removes the engine meanwhile: it counts as used from the first moment. */
  async #holding<T>(id: EngineId, work: () => Promise<T>): Promise<T> {
    this.#busy.set(id, (this.#busy.get(id) ?? 0) + 1)
    try {
      return await work()
    } finally {
      this.#busy.set(id, (this.#busy.get(id) ?? 1) - 1)
    }
  }

  async #inTrainer<T>(
    { id, reason }: { id: EngineId; reason: string },
    work: (trainer: Trainer, engine: EngineUsed) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const started = await this.#parts.host.start(id)
    const stop = (): void => void started.kill()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      signal?.throwIfAborted()
      const { trainer } = createClient(trainerContract, started.transport)
      return await work(trainer, { ...(await trainer.load({ engine: id })), reason })
    } catch (error) {
      signal?.throwIfAborted()
      const crash = error instanceof GyreError && error.code === 'disconnected' ? await started.ended : null
      throw crash ?? error
    } finally {
      signal?.removeEventListener('abort', stop)
      await started.kill()
    }
  }
}
