// The trainer: what its contract promises, on the engine of this thread. One run trains at a time; looking at
// checkpoints goes on between its steps. Knows no transport.
import * as tf from '@tensorflow/tfjs-core'
import type { Emit, Handlers } from '#shared/contract/define'
import { GyreError, toGyreError } from '#shared/contract/errors'
import type { EngineUsed } from '#shared/contract/files'
import type { TrainerContract, TrainOutcome } from '#shared/contract/trainer'
import type { PackReader } from '#main/data/pack-reader'
import {
  examine,
  explainMemory,
  loadEngine,
  withMemoryWords,
  type Engine,
  type EngineOptions,
} from '#main/engine/index'
import { TrainControl } from './control'
import { evaluate } from './evaluate'
import { inspect } from './inspect'
import { writeInspection } from './inspection'
import { runLoop, type LoopHooks } from './loop'
import type { Execution } from './open-steps'
import { ModelCache } from './model-cache'
import type { BatchesOptions } from './open-batches'
import { openImages, splitsOf } from './run-folder'
import { TrainSession } from './session'
import { StepTimer } from './step-timer'
import { decodeCodes } from './tiles'
import { decodeTokens, encodeImages } from './tokens'
import { verify } from './verify/index'

export interface TrainerOptions extends BatchesOptions {
  engine?: EngineOptions
  /** For tests only. */
  execution?: Execution
  hooks?: LoopHooks
}

type TrainInput = Parameters<Handlers<TrainerContract>['trainer']['train']>[0]

const allOf = (pack: PackReader): Int32Array => Int32Array.from({ length: pack.info.count }, (_, i) => i)

export class Trainer {
  readonly #emit: Emit<TrainerContract>
  readonly #options: TrainerOptions
  readonly #models = new ModelCache(() => this.#engine?.graphs)
  readonly #timer: StepTimer
  #engine: Engine | null = null
  #control: TrainControl | null = null

  constructor(emit: Emit<TrainerContract>, options: TrainerOptions = {}) {
    this.#emit = emit
    this.#options = options
    this.#timer = new StepTimer(options)
  }

  readonly handlers: Handlers<TrainerContract> = {
    trainer: {
      load: async ({ engine }) => {
        if (this.#engine && engine !== 'auto' && engine !== this.#engine.id)
          throw new GyreError('busy', `The engine ${this.#engine.id} is loaded already.`)
        this.#engine ??= await loadEngine(engine, this.#options.engine)
        return this.#engineUsed
      },
      train: (input, { signal }) => this.#train(input, signal),
      pause: () => this.#running.pause(),
      resume: () => this.#running.resume(),
      stop: () => this.#running.stop(),
      evaluate: ({ runFolder, checkpoint, packed, split }, { signal }) =>
        this.#look(runFolder, checkpoint, packed, async ({ model, forward, config, state }, pack) => {
          const indices = split === 'all' ? allOf(pack) : splitsOf(pack, config).validation
          const onProgress = this.#progress('Measuring')
          return {
            step: state.step,
            validation: await evaluate({ model, forward }, pack, indices, { onProgress, signal }),
          }
        }),
      inspect: ({ runFolder, checkpoint, packed, split, nearest, out }, { signal }) =>
        this.#look(runFolder, checkpoint, packed, async (loaded, pack) => {
          const indices = split === 'all' ? allOf(pack) : splitsOf(pack, loaded.config).train
          const onProgress = this.#progress('Looking at the codebook')
          const result = await inspect(loaded, pack, indices, { split, nearest, onProgress, signal })
          await writeInspection(out, result)
          return { step: loaded.state.step, images: indices.length }
        }),
      decodeCodes: ({ runFolder, checkpoint, indices }, { signal }) =>
        withMemoryWords(
          this.#models.use(runFolder, checkpoint, ({ model }) => decodeCodes(model, indices, signal)),
        ),
      encode: ({ runFolder, checkpoint, packed, out }, { signal }) =>
        this.#look(runFolder, checkpoint, packed, async ({ model, forward, state: { step } }, pack) => {
          const onProgress = this.#progress('Encoding')
          return {
            ...(await encodeImages({ model, forward }, pack, out, { step, onProgress, signal })),
            step,
          }
        }),
      decode: ({ runFolder, checkpoint, tokens, out }, { signal }) =>
        withMemoryWords(
          this.#models.use(runFolder, checkpoint, async ({ model, state: { step } }) => {
            const onProgress = this.#progress('Decoding')
            return { ...(await decodeTokens(model, tokens, out, { onProgress, signal })), step }
          }),
        ),
      examine: () => examine(this.#loaded),
      verify: ({ kind, file }) => {
        if (!this.#engine) throw new GyreError('engine-unavailable', 'No engine is loaded yet.')
        return verify(kind, file)
      },
      bench: ({ steps, ...work }, { signal }) => {
        if (!this.#engine) throw new GyreError('engine-unavailable', 'No engine is loaded yet.')
        if (this.#control) throw new GyreError('busy', 'A run is being trained.')
        return withMemoryWords(this.#timer.run(work, steps, this.#engine, signal))
      },
      memory: () => {
        const { numTensors, numBytes } = tf.memory()
        const { user, system } = process.cpuUsage()
        return {
          tensors: numTensors,
          bytes: numBytes,
          rssBytes: process.memoryUsage.rss(),
          cpuMs: (user + system) / 1000,
        }
      },
    },
  }

  /** Lets a run under way save itself and end. */
  async close(): Promise<void> {
    await this.#control?.stop()
    await this.#timer.close()
    this.#models.clear()
  }

  get #loaded(): Engine {
    if (!this.#engine) throw new GyreError('engine-unavailable', 'No engine is loaded yet.')
    return this.#engine
  }

  get #engineUsed(): EngineUsed {
    const { id, name, version, device, reason } = this.#loaded
    return { id, name, version, device, reason }
  }

  get #running(): TrainControl {
    if (!this.#control) throw new GyreError('invalid-input', 'Nothing is being trained.')
    return this.#control
  }

  #progress(phase: string): (done: number, total: number) => void {
    return (done, total) => this.#emit('trainer', 'onProgress', { phase, done, total, unit: 'images' })
  }

  async #look<T>(
    runFolder: string,
    checkpoint: Parameters<ModelCache['use']>[1],
    packed: string,
    work: (loaded: Parameters<Parameters<ModelCache['use']>[2]>[0], pack: PackReader) => Promise<T>,
  ): Promise<T> {
    const look = this.#models.use(runFolder, checkpoint, async (loaded) => {
      const pack = openImages(packed, loaded.config)
      try {
        return await work(loaded, pack)
      } finally {
        pack.close()
      }
    })
    return withMemoryWords(look)
  }

  async #train(input: TrainInput, signal: AbortSignal): Promise<TrainOutcome> {
    const engine = this.#loaded
    if (this.#control) throw new GyreError('busy', 'Another run is being trained.')
    const control = new TrainControl()
    this.#control = control
    const { runFolder } = input
    const onAbort = (): void => void control.stop()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    let session: TrainSession | null = null
    let hasFailed = false
    try {
      session = await TrainSession.open({
        ...input,
        engine,
        execution: this.#options.execution,
        batchesEntry: this.#options.batchesEntry,
        onRecord: (record) => this.#emit('trainer', 'onRecord', { runFolder, record }),
        onStarting: (done, total) => this.#emit('trainer', 'onStarting', { runFolder, done, total }),
        signal: control.stopSignal,
      })
      return await runLoop(session, {
        control,
        hooks: this.#options.hooks,
        onStatus: (status, step) => this.#emit('trainer', 'onStatus', { runFolder, status, step }),
      })
    } catch (thrown) {
      hasFailed = true
      const error = toGyreError(explainMemory(thrown))
      // The reason itself must not hide the one that matters: a full disk refuses this line too.
      const event = error.code === 'diverged' ? 'diverged' : 'failed'
      await session?.event(event, error.message).catch(() => undefined)
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
      await session?.close().catch((error: unknown) => {
        // An engine without memory may not even let go of what it holds; the reason is the first error.
        if (!hasFailed) throw error
      })
      this.#control = null
      control.end()
    }
  }
}
