// Training runs one after the other: each waits as `created` with its config frozen, has its images prepared, is
// trained by the trainer, and ends with a status that says how. Goes on whether or not anybody is looking.
import { engineIds, type CheckpointRef } from '#shared/contract/common'
import { GyreError, toGyreError } from '#shared/contract/errors'
import type { MetricsRecord, RunFile, RunStatus } from '#shared/contract/files'
import { listCheckpoints } from '#main/train/checkpoint'
import type { Bus } from './bus'
import type { Datasets } from './datasets'
import { answerMemory, BatchTooLarge, concernsMemory } from './fitting-batch'
import type { HostAdapter } from './host'
import type { JobContext, Jobs } from './jobs'
import { keptState } from './kept'
import type { StepTimes } from './measured'
import type { OwnedRun, RunChange } from './owned-run'
import type { Lent, Trainer, TrainerClient } from './trainer-client'
import { TrainerCrash } from './trainer-crash'
import type { ChosenHost } from './trainer-host'
import { transformOf } from './transform'

/** Weights to start from. */
export interface StartFrom {
  runFolder: string
  checkpoint: CheckpointRef
}

interface Entry {
  run: OwnedRun
  from: StartFrom | undefined
  /** While it trains. */
  trainer: Trainer | null
  /** Aborted by `stop` and by cancelling one of its jobs, whatever the run is doing. */
  controller: AbortController
  /** As measured lately. */
  secondsPerStep: number | null
  ended: Promise<RunFile>
}

/** How a run ended. */
type Ending = RunChange & Pick<RunFile, 'status' | 'step'>

interface Loop extends Lent {
  trainer: Trainer
  packed: string
  job: JobContext
}

export interface TrainingParts {
  bus: Bus
  datasets: Datasets
  jobs: Jobs
  trainers: TrainerClient
  times: StepTimes
  host: HostAdapter
  /** Starts processes in which batch sizes are tried once memory has run out. */
  apart: ChosenHost
  /** Told of each run before it begins. */
  onBegin: (runName: string) => void
}

export class Training {
  readonly #parts: TrainingParts
  readonly #entries = new Map<string, Entry>()
  #line: Promise<unknown> = Promise.resolve()
  /** Share of the last record's time that steps waited for images. */
  dataWaitFraction: number | null = null

  constructor(parts: TrainingParts) {
    this.#parts = parts
  }

  /** Whether a run waits or trains here. */
  has(id: string): boolean {
    return this.#entries.has(id)
  }

  /** Whether any run waits or trains here. */
  get isBusy(): boolean {
    return this.#entries.size > 0
  }

  /**
   * Puts an owned run in the line and takes it over: it is released when it ends. The promise resolves with its last
   * state, however it ended, and never rejects.
   */
  enqueue(run: OwnedRun, from?: StartFrom): Promise<RunFile> {
    run.update({ status: 'created', error: null })
    const controller = new AbortController()
    this.#parts.onBegin(run.file.name)
    const turn = this.#line
    const ended = turn.then(() => this.#take(entry))
    const entry: Entry = { run, from, trainer: null, controller, secondsPerStep: null, ended }
    this.#entries.set(run.id, entry)
    this.#line = ended
    return ended
  }

  /** Resolves when the run has ended; null when it is not in the line. */
  whenEnded(id: string): Promise<RunFile> | null {
    return this.#entries.get(id)?.ended ?? null
  }

  async pause(id: string): Promise<void> {
    await this.#training(id).pause()
  }

  /** Goes on after `pause`. */
  async unpause(id: string): Promise<void> {
    await this.#training(id).resume()
  }

  /** Ends a run in whatever phase it is; returns once what was learnt is kept. */
  async stop(id: string): Promise<RunFile> {
    const entry = this.#entries.get(id)
    if (!entry) throw new GyreError('invalid-input', 'This run is not training.')
    entry.controller.abort(new GyreError('cancelled', 'Stopped.'))
    return entry.ended
  }

  /** Stops everything, keeping it, and waits for the end. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((id) => this.stop(id)))
  }

  #training(id: string): Trainer {
    const trainer = this.#entries.get(id)?.trainer
    if (!trainer) throw new GyreError('invalid-input', 'This run is not training right now.')
    return trainer
  }

  async #take(entry: Entry): Promise<RunFile> {
    const { run } = entry
    const change = await this.#train(entry).catch((thrown: unknown) => this.#failed(entry, thrown))
    await run.log(`Ended: ${change.status} at step ${change.step}.`)
    this.#entries.delete(run.id)
    await run.release(change).catch(() => undefined)
    this.#tell(run.file)
    return run.file
  }

  async #train(entry: Entry): Promise<Ending> {
    const { run, controller } = entry
    const { datasets, jobs, trainers } = this.#parts
    controller.signal.throwIfAborted()
    const { config, dataset, engineWish, name: title } = run.file
    const about = { title, runId: run.id, datasetId: dataset.id }
    run.update({ status: 'preparing' })
    return datasets.using(dataset.id, async () => {
      const packed = await jobs.start(
        { ...about, kind: 'prepare', unit: 'images' },
        (job) => datasets.pack(dataset.id, transformOf(config), job),
        controller,
      ).finished
      const loop = (job: JobContext): Promise<Ending> =>
        trainers
          .use(
            engineWish,
            (trainer, lent) => this.#loop(entry, { ...lent, trainer, packed, job }),
            controller.signal,
          )
          // By now the trainer that failed is gone, with the memory that it held.
          .catch((thrown: unknown) => this.#explain(entry, thrown, packed, job))
      return jobs.start(
        { ...about, kind: 'train', unit: 'steps', total: config.steps, phase: 'Starting the engine' },
        loop,
        controller,
      ).finished
    })
  }

  async #loop(entry: Entry, { trainer, engine, pid, packed, job }: Loop): Promise<Ending> {
    const { run, controller, from } = entry
    const { host, times } = this.#parts
    run.update({ engine })
    // Should this process be killed, its trainer may write a last checkpoint before it ends: nobody else may begin then.
    if (pid !== null) await run.shareWith(pid)
    await run.flush()
    await run.log(`Training with ${engine.name} ${engine.version} on ${engine.device}. ${engine.reason}`)
    // Nothing is awaited from here to `train`: an earlier stop is seen here, a later one reaches the trainer.
    controller.signal.throwIfAborted()
    const stopListening = this.#listen(entry, trainer, job)
    const onStop = (): void => void trainer.stop().catch(() => undefined)
    controller.signal.addEventListener('abort', onStop, { once: true })
    host.keepAwake?.(true)
    try {
      entry.trainer = trainer
      const { status, step, validation } = await trainer.train({
        runFolder: run.folder,
        packed,
        fromRun: from,
      })
      const last = validation ? { ...validation, step } : run.file.last
      const error = status === 'diverged' ? { code: 'diverged', ...(await this.#divergence(run)) } : null
      return { status, step, last, error }
    } finally {
      entry.trainer = null
      stopListening()
      controller.signal.removeEventListener('abort', onStop)
      host.keepAwake?.(false)
      host.setProgress?.(null)
      if (entry.secondsPerStep !== null)
        await times.remember(run.file.config, engine.id, entry.secondsPerStep).catch(() => undefined)
    }
  }

  async #divergence(run: OwnedRun): Promise<{ message: string; hint: string }> {
    const good = (await listCheckpoints(run.folder)).at(-1)?.step
    return {
      message: `The loss or its gradient was not a finite number after step ${run.file.step}.`,
      hint: good
        ? `The state at step ${good} is kept. Try a smaller learning rate.`
        : 'Try a smaller learning rate.',
    }
  }

  /** Follows the trainer's events into run.json, the job and the window. */
  #listen(entry: Entry, trainer: Trainer, job: JobContext): () => void {
    const { run } = entry
    const { bus, host } = this.#parts
    const offRecord = trainer.onRecord(({ runFolder, record }) => {
      if (runFolder !== run.folder) return
      this.#follow(entry, record)
      bus.emit('runs', 'onRecord', { id: run.id, record })
      job.update({ done: record.step })
      host.setProgress?.(record.step / run.file.config.steps)
    })
    const offStatus = trainer.onStatus(({ runFolder, status, step }) => {
      if (runFolder !== run.folder) return
      const { steps: total } = run.file.config
      job.update({ done: step, total, unit: 'steps', phase: phaseWords[status] ?? '' })
      // How it ends is said by the outcome, with everything that belongs to it.
      if (status === 'running' || status === 'paused') run.update({ status, step })
      else run.update({ step })
    })
    const offStarting = trainer.onStarting(({ runFolder, done, total }) => {
      if (runFolder === run.folder)
        job.update({ done, total, unit: 'images', phase: 'Starting the codebook from images' })
    })
    return () => {
      offRecord()
      offStatus()
      offStarting()
    }
  }

  #follow(entry: Entry, record: MetricsRecord): void {
    const { run } = entry
    const { step, trainedMs } = record
    if (record.kind === 'train') {
      run.update({ step, trainedMs })
      this.dataWaitFraction = record.dataWaitFraction
      // The first steps are slower than the rest: memory is still being found.
      if (step >= 20 && record.stepsPerSecond > 0) entry.secondsPerStep = 1 / record.stepsPerSecond
    } else if (record.kind === 'evaluation') {
      const last = { ...record.validation, step }
      run.update({ step, trainedMs, last, ...(record.best ? { best: last } : {}) })
    } else if (record.kind === 'event') {
      run.update({ trainedMs })
      void run.log(`${record.event} at step ${step}${record.message ? `: ${record.message}` : ''}`)
    }
  }

  /** Memory that has run out is answered with the batch size that fits. Always throws. */
  async #explain(entry: Entry, thrown: unknown, packed: string, job: JobContext): Promise<never> {
    if (!(thrown instanceof GyreError)) throw thrown
    const { run, controller } = entry
    const { config, engine, engineWish } = run.file
    const id = engineIds.find((one) => one === engine?.id) ?? engineWish
    if (concernsMemory(thrown, id)) {
      // Trying batch sizes takes minutes: who looks at the run sees why.
      run.update({ error: thrown.toShape() })
      job.update({ phase: 'Trying smaller batches', done: 0, total: 0 })
    }
    const question = { config, engine: id, packed, signal: controller.signal, hasWorked: run.file.step > 0 }
    throw await answerMemory(thrown, question, { host: this.#parts.apart })
  }

  async #failed({ run, controller }: Entry, thrown: unknown): Promise<Ending> {
    const error = toGyreError(thrown)
    const kept = await keptState(run.folder)
    const status = endOf(error, controller.signal.aborted, kept !== null)
    await run.log(`${status}: ${error.message}${error.hint ? ` ${error.hint}` : ''}`)
    const shape =
      error instanceof BatchTooLarge ? { ...error.toShape(), batchSize: error.batchSize } : error.toShape()
    return { step: 0, ...kept, status, error: status === 'stopped' ? null : shape }
  }

  #tell(run: RunFile): void {
    const { host } = this.#parts
    if (run.status === 'finished') host.notify?.(run.name, `Finished at step ${run.step}.`)
    else if (run.error) host.notify?.(run.name, run.error.message)
  }
}

function endOf(error: GyreError, wasStopped: boolean, hasCheckpoint: boolean): RunStatus {
  if (error.code === 'cancelled' && wasStopped) return 'stopped'
  if (error instanceof TrainerCrash || error.code === 'cancelled')
    return hasCheckpoint ? 'interrupted' : 'failed'
  return error.code === 'diverged' ? 'diverged' : 'failed'
}

const phaseWords: Partial<Record<RunStatus, string>> = {
  preparing: 'Preparing',
  running: 'Training',
  paused: 'Paused',
}
