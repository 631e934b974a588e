// What the command line asks of a checkpoint besides training: evaluate, encode, decode. Each prepares the images it
// needs and hands the work to the trainer, like everything that touches a tensor.
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { CheckpointRef, EngineWish, ValidationMetrics } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import type { EngineUsed, RunFile } from '#shared/contract/files'
import { resolveInside } from '#main/data/index'
import type { Datasets } from './datasets'
import type { JobContext, Jobs, StartedJob } from './jobs'
import { refuseAmongImages } from './outputs'
import type { Runs } from './runs'
import type { RunStore } from './run-store'
import type { Trainer, TrainerClient } from './trainer-client'
import { transformOf } from './transform'

export interface Target {
  runId: string
  checkpoint: CheckpointRef
  /** Another dataset than the run's own. */
  datasetId?: string
  engine?: EngineWish
}

interface Prepared {
  trainer: Trainer
  engine: EngineUsed
  runFolder: string
  packed: string
  /** Cancels what is asked of the trainer. */
  signal: AbortSignal
}

export interface OperationParts {
  store: RunStore
  runs: Runs
  datasets: Datasets
  jobs: Jobs
  trainers: TrainerClient
}

export class Operations {
  constructor(private readonly parts: OperationParts) {}

  /** Measures a checkpoint on the run's validation images, or on all images of another dataset. */
  evaluate(target: Target): StartedJob<{ step: number; engine: EngineUsed; validation: ValidationMetrics }> {
    return this.#job(target, 'Evaluating', async ({ trainer, engine, runFolder, packed, signal }) => {
      const split = target.datasetId === undefined ? 'validation' : 'all'
      const { checkpoint } = target
      return { ...(await trainer.evaluate({ runFolder, checkpoint, packed, split }, { signal })), engine }
    })
  }

  /** Writes tokens and latents of every image of a dataset into the safetensors file `out`. */
  encode(
    target: Target & { datasetId: string; out: string },
  ): StartedJob<{ images: number; tokens: number[]; step: number; engine: EngineUsed }> {
    return this.#job(target, 'Encoding', async ({ trainer, engine, runFolder, packed, signal }) => {
      const out = resolve(target.out)
      await refuseAmongImages(out, await this.parts.datasets.get(target.datasetId))
      await mkdir(dirname(out), { recursive: true })
      const { checkpoint } = target
      return { ...(await trainer.encode({ runFolder, checkpoint, packed, out }, { signal })), engine }
    })
  }

  /** Decodes a tokens file into PNGs in the folder `out`. */
  decode(
    target: Omit<Target, 'datasetId'> & { tokens: string; out: string },
  ): StartedJob<{ images: number; step: number; engine: EngineUsed }> {
    const { store, jobs } = this.parts
    return jobs.start({ kind: 'export', title: 'Decoding', runId: target.runId }, async (job) => {
      const run = await store.read(target.runId)
      const tokens = resolve(target.tokens)
      if (!(await stat(tokens).catch(() => null))?.isFile())
        throw new GyreError('not-found', `There is no file “${target.tokens}”.`)
      const out = resolve(target.out)
      await refuseAmongImages(out, run.dataset)
      await mkdir(out, { recursive: true })
      const runFolder = await this.#runFolder(target.runId)
      return this.#withTrainer(target.engine, job, async (trainer, engine) => ({
        ...(await trainer.decode(
          { runFolder, checkpoint: target.checkpoint, tokens, out },
          { signal: job.signal },
        )),
        engine,
      }))
    })
  }

  /** The dataset that a target means: the named one, or the run's own. */
  async datasetFor(run: RunFile, datasetId: string | undefined): Promise<string> {
    if (datasetId !== undefined) return (await this.parts.datasets.get(datasetId)).id
    return (await this.parts.runs.datasetOf(run)).id
  }

  /** Prepares the images of a target; `work` then gets their pack and a trainer. */
  async prepared<T>(target: Target, job: JobContext, work: (prepared: Prepared) => Promise<T>): Promise<T> {
    const { store, datasets } = this.parts
    const run = await store.read(target.runId)
    const runFolder = await this.#runFolder(target.runId)
    const datasetId = await this.datasetFor(run, target.datasetId)
    return datasets.using(datasetId, async () => {
      const packed = await datasets.pack(datasetId, transformOf(run.config), job)
      return this.#withTrainer(target.engine, job, (trainer, engine) =>
        work({ trainer, engine, runFolder, packed, signal: job.signal }),
      )
    })
  }

  /** For short questions to whatever engine is loaded. */
  withTrainer<T>(work: (trainer: Trainer) => Promise<T>): Promise<T> {
    return this.parts.trainers.use('any', work)
  }

  #job<T>(target: Target, title: string, work: (prepared: Prepared) => Promise<T>): StartedJob<T> {
    const about = { kind: 'inspect', title, runId: target.runId, unit: 'images' } as const
    return this.parts.jobs.start(about, (job) => this.prepared(target, job, work))
  }

  #withTrainer<T>(
    engine: EngineWish | undefined,
    job: JobContext,
    work: (trainer: Trainer, engine: EngineUsed) => Promise<T>,
  ): Promise<T> {
    job.update({ phase: 'Starting the engine', done: 0, total: 0 })
    return this.parts.trainers.use(
      engine ?? 'any',
      async (trainer, { engine: used }) => {
        const off = trainer.onProgress((progress) => job.update(progress))
        try {
          return await work(trainer, used)
        } finally {
          off()
        }
      },
      job.signal,
    )
  }

  async #runFolder(id: string): Promise<string> {
    const folder = this.parts.store.folderOf(id)
    await resolveInside(folder, 'checkpoints')
    return folder
  }
}
