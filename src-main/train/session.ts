// Everything that one training run holds: model, optimiser, batches, windows, log; how it starts, how it goes on from a
// checkpoint, and how it is saved. The loop itself is in `loop`. Exact: what a checkpoint restores, continues bit for bit.
import { join } from 'node:path'
import { hasCodebookLoss, totalCodes, type RunConfig } from '#shared/config/index'
import type { CheckpointRef, ValidationMetrics } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { schemaVersion, type EventRecord, type MetricsRecord } from '#shared/contract/files'
import { sweepTemporaries } from '#main/data/atomic'
import type { BatchSource } from '#main/data/batches'
import type { PackReader } from '#main/data/pack-reader'
import type { Engine } from '#main/engine/index'
import {
  createModel,
  createOptimizer,
  createRandom,
  restoreRandom,
  type Optimizer,
  type Random,
  type VqModel,
} from '#main/model/index'
import {
  readTensors,
  resolveCheckpoint,
  type RejectedCheckpoint,
  type VerifiedCheckpoint,
} from './checkpoint'
import { setAside, sweepCheckpoints, writeCheckpoint } from './checkpoint-write'
import { openMetricsLog, type MetricsLog } from './metrics-log'
import type { Forward } from './forward'
import { openBatches, type BatchesOptions } from './open-batches'
import { openSteps, type Execution, type OpenedSteps } from './open-steps'
import { RecordAverages } from './records'
import { openImages, readRunConfig, splitsOf, type Splits } from './run-folder'
import { dropSamplesAfter, sampleIndices, writeOriginals } from './samples'
import { startCodebook, takeWeights } from './start'
import type { CheckpointState } from './state'
import type { Steps } from './steps'
import { Stopwatch } from './stopwatch'
import { isFiniteTensor, restore, snapshot } from './tensors'
import { CodeWindows } from './windows'

export interface SessionOptions extends BatchesOptions {
  runFolder: string
  packed: string
  /** Weights to start from where the run has no checkpoint of its own. */
  fromRun?: { runFolder: string; checkpoint: CheckpointRef } | undefined
  engine: Pick<Engine, 'id' | 'version' | 'graphs'>
  /** How steps run where the engine can run graphs; see `openSteps`. Compiled by default. */
  execution?: Execution
  onRecord: (record: MetricsRecord) => void
  /** While the codebook of a new run starts from images: images gone through, and how many there will be. */
  onStarting?: (done: number, total: number) => void
  /** Ends the opening. */
  signal?: AbortSignal
}

export type StepMetrics = ValidationMetrics & { step: number }

/** Random numbers of the steps must not repeat those of the initial weights. */
const stepStream = 0x2f6e2b1

export class TrainSession {
  readonly runFolder: string
  readonly config: RunConfig
  readonly pack: PackReader
  readonly splits: Splits
  /** Images drawn as samples. */
  readonly samples: Int32Array
  readonly model: VqModel
  readonly batches: BatchSource
  readonly windows: CodeWindows
  readonly watch = new Stopwatch()
  averages: RecordAverages
  random: Random
  step = 0
  /** At the very step the session stands at. */
  evaluation: ValidationMetrics | null = null
  last: StepMetrics | null = null
  best: StepMetrics | null = null
  readonly #optimizer: Optimizer
  readonly #options: SessionOptions
  #log: MetricsLog | null = null
  #steps: OpenedSteps | null = null
  /** What the newest checkpoint holds: the step, and whether it is evaluated. */
  #saved: { step: number; evaluated: boolean } | null = null

  private constructor(options: SessionOptions, config: RunConfig, pack: PackReader) {
    this.#options = options
    this.runFolder = options.runFolder
    this.config = config
    this.pack = pack
    this.splits = splitsOf(pack, config)
    this.samples = sampleIndices(this.splits.validation)
    const { train: trainIndices } = this.splits
    this.batches = openBatches({ packed: options.packed, pack, trainIndices, config }, options)
    this.model = createModel(config, config.seed)
    this.#optimizer = createOptimizer(config, this.model)
    this.windows = new CodeWindows(totalCodes(config), this.batches.stepsPerEpoch)
    this.averages = new RecordAverages(hasCodebookLoss(config))
    this.random = createRandom(config.seed ^ stepStream)
  }

  /**
   * Opens a run folder: goes on from its last good checkpoint, or starts it and writes the checkpoint of step 0.
   * Leftovers of a killed process are removed, records and samples after the checkpoint's step are dropped.
   */
  static async open(options: SessionOptions): Promise<TrainSession> {
    const config = await readRunConfig(options.runFolder)
    const pack = openImages(options.packed, config)
    let session: TrainSession | null = null
    try {
      session = new TrainSession(options, config, pack)
      await session.#prepare()
      return session
    } catch (error) {
      // What closing meets must not hide the reason.
      if (session) await session.close().catch(() => undefined)
      else pack.close()
      throw error
    }
  }

  async #prepare(): Promise<void> {
    const { runFolder } = this
    await sweepCheckpoints(runFolder)
    await sweepTemporaries(runFolder)
    await sweepTemporaries(join(runFolder, 'samples'))
    const found = await resolveCheckpoint(runFolder, 'last').catch((error: unknown) => {
      if (error instanceof GyreError && error.code === 'not-found') return null
      throw error
    })
    this.#log = await openMetricsLog(runFolder, (record) => {
      // An evaluation that the checkpoint does not know of will be made again.
      if (record.kind === 'evaluation' && record.step === found?.step) return found.state.evaluation !== null
      return record.step <= (found?.step ?? -1)
    })
    await dropSamplesAfter(runFolder, found?.step ?? -1)
    await writeOriginals(runFolder, this.pack, this.samples)
    if (found) await this.#continue(found, found.rejected)
    else await this.#start()
    this.#steps = openSteps(this.model, this.#optimizer, {
      ...this.#options,
      onEager: (reason) => void this.event('eager', reason).catch(() => undefined),
    })
    if (this.#steps.notCompiled) await this.event('eager', this.#steps.notCompiled)
  }

  get #opened(): OpenedSteps {
    if (!this.#steps) throw new Error('The session is not open.')
    return this.#steps
  }

  /** Takes the training steps of this run. */
  get steps(): Steps {
    return this.#opened
  }

  /** What the model, as the steps have made it, makes of images. */
  get forward(): Forward {
    return this.#opened.forward
  }

  async #start(): Promise<void> {
    const { fromRun } = this.#options
    if (fromRun) {
      const source = await resolveCheckpoint(fromRun.runFolder, fromRun.checkpoint)
      await takeWeights(this.model, source.folder)
      await this.event('started', `Started from the weights of another run at step ${source.step}.`)
    } else {
      const { onStarting: onProgress, signal } = this.#options
      await startCodebook(this, { onProgress, signal })
      await this.event('started', 'Started with new weights.')
    }
    if (this.splits.measuresOnTraining)
      await this.event('started', 'No images are kept for validation: training images are measured instead.')
    await this.save()
  }

  async #continue(found: VerifiedCheckpoint, rejected: readonly RejectedCheckpoint[]): Promise<void> {
    const { state, folder } = found
    const { model, config } = this
    restore([...model.trainable, ...model.state], await readTensors(folder, 'model'))
    restore(this.#optimizer.state, await readTensors(folder, 'optimizer'))
    this.batches.restore(state.batches)
    this.random = restoreRandom(state.random)
    this.averages = new RecordAverages(hasCodebookLoss(config), state.sums)
    this.windows.restore(state.window, state.lastWindow)
    this.step = state.step
    this.evaluation = state.evaluation
    this.last = state.last
    this.best = state.best
    this.watch.restore(state.trainedMs)
    this.#saved = { step: state.step, evaluated: state.evaluation !== null }
    if (rejected.length > 0) {
      await setAside(this.runFolder, rejected)
      const reasons = rejected.map(({ reason }) => reason).join(' ')
      await this.event('recovered', `${reasons} Went back to step ${state.step}.`)
    }
    await this.event('resumed', `Goes on from step ${state.step}.${this.#changesSince(state)}`)
  }

  /** What may make the rest of the run differ from one that was never stopped, in words. */
  #changesSince(state: CheckpointState): string {
    const { engine } = this.#options
    const before = state.batches as { images?: unknown } | null
    const [images, now] = [before?.images, this.splits.train.length]
    const changes = [
      engine.id === state.engine.id ? '' : ` The engine is ${engine.id} now, it was ${state.engine.id}.`,
      images === now ? '' : ` There are ${now} training images now, there were ${String(images)}.`,
    ]
    return changes.join('')
  }

  /** Appends to metrics.jsonl and tells the listener. */
  async record(record: MetricsRecord): Promise<void> {
    await this.#log?.append(record)
    this.#options.onRecord(record)
  }

  async event(event: EventRecord['event'], message: string): Promise<void> {
    await this.record({ kind: 'event', step: this.step, trainedMs: this.watch.elapsedMs, event, message })
  }

  /** Writes a checkpoint of this moment, once. The records it relies on are on disk first. */
  async save(): Promise<void> {
    const evaluated = this.evaluation !== null
    if (this.#saved?.step === this.step && this.#saved.evaluated === evaluated) return
    const { engine } = this.#options
    this.#steps?.sync()
    const model = snapshot([...this.model.trainable, ...this.model.state])
    const optimizer = snapshot(this.#optimizer.state)
    if (![...model, ...optimizer].every(isFiniteTensor))
      throw new GyreError(
        'diverged',
        `The model holds numbers that are not finite at step ${this.step}; it was not saved.`,
        'Go on from the last checkpoint with a smaller learning rate.',
      )
    await this.#log?.sync()
    await writeCheckpoint(
      this.runFolder,
      {
        model,
        optimizer,
        state: {
          schemaVersion,
          step: this.step,
          trainedMs: this.watch.elapsedMs,
          engine: { id: engine.id, version: engine.version },
          batches: this.batches.state(),
          random: this.random.state(),
          sums: this.averages.sums,
          window: this.windows.running,
          lastWindow: this.windows.last,
          evaluation: this.evaluation,
          last: this.last,
          best: this.best,
        },
      },
      this.best?.step ?? null,
    )
    this.#saved = { step: this.step, evaluated }
    await this.event('checkpoint', `Saved at step ${this.step}.`)
  }

  /** Frees every tensor and closes every file. */
  async close(): Promise<void> {
    await this.batches.close()
    this.pack.close()
    await this.#log?.close()
    this.#log = null
    this.#steps?.close()
    this.#optimizer.dispose()
    this.model.dispose()
  }
}
