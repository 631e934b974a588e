// Takes training steps for a measurement, as a run takes them: batches from a pack, the step, its numbers. Writes
// nothing, evaluates nothing; a model is kept from call to call, so that several trainers can be timed in turn.
import type { StepKind, TimedSteps } from '#shared/contract/bench'
import { GyreError } from '#shared/contract/errors'
import type { RunConfig } from '#shared/config/schema'
import type { BatchSource } from '#main/data/batches'
import type { PackReader } from '#main/data/pack-reader'
import type { Engine } from '#main/engine/index'
import { createModel, createOptimizer, createRandom, learningRateAt, type Random } from '#main/model/index'
import { openBatches, type BatchesOptions } from './open-batches'
import { openSteps, type OpenedSteps } from './open-steps'
import { peakRssBytes } from './peak-memory'
import { openImages, splitsOf } from './run-folder'

export interface TimedWork {
  config: RunConfig
  /** A packed dataset. */
  packed: string
  kind: StepKind
}

interface Subject {
  config: RunConfig
  batches: BatchSource
  steps: OpenedSteps
  random: Random
  /** Steps taken. */
  step: number
  close(): Promise<void>
}

function configOf({ config, kind }: TimedWork): RunConfig {
  if (kind === 'usual') return config
  return { ...config, precision: kind === 'compiledBf16' ? 'bfloat16' : 'float32' }
}

/** The way of taking steps that was asked for, and no other. */
function refuseOthers(kind: StepKind, engine: Pick<Engine, 'name' | 'graphs'>, steps: OpenedSteps): void {
  if (kind === 'usual' || kind === 'eager') return
  if (steps.notCompiled !== null) throw new GyreError('unsupported', steps.notCompiled)
  if (!engine.graphs)
    throw new GyreError('unsupported', `${engine.name} runs single operations only: it has no compiled step.`)
}

async function open(work: TimedWork, engine: Engine, options: BatchesOptions): Promise<Subject> {
  const config = configOf(work)
  const closers: (() => void | Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const one of closers.splice(0).reverse()) await one()
  }
  try {
    const pack: PackReader = openImages(work.packed, config)
    closers.push(() => pack.close())
    const { train: trainIndices } = splitsOf(pack, config)
    const batches = openBatches({ packed: work.packed, pack, trainIndices, config }, options)
    closers.push(() => batches.close())
    const model = createModel(config, config.seed)
    closers.push(() => model.dispose())
    const optimizer = createOptimizer(config, model)
    closers.push(() => optimizer.dispose())
    const execution = work.kind === 'eager' ? 'eager' : 'compiled'
    const steps = openSteps(model, optimizer, { engine, execution })
    closers.push(() => steps.close())
    refuseOthers(work.kind, engine, steps)
    return { config, batches, steps, random: createRandom(config.seed), step: 0, close }
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
}

export class StepTimer {
  readonly #options: BatchesOptions
  #key = ''
  #subject: Subject | null = null

  constructor(options: BatchesOptions) {
    this.#options = options
  }

  /**
   * Takes `count` more steps; other work than the last time starts a new model.
   * Throws `unsupported` where the engine does not take steps in this way.
   */
  async run(work: TimedWork, count: number, engine: Engine, signal: AbortSignal): Promise<TimedSteps> {
    const key = JSON.stringify(work)
    if (key !== this.#key) await this.close()
    const subject = (this.#subject ??= await open(work, engine, this.#options))
    this.#key = key
    const { config, batches, steps, random } = subject
    const timed: TimedSteps = { stepMs: [], waitMs: [], loss: 0, peakRssBytes: 0 }
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted()
      const t = subject.step + 1
      const startedAt = performance.now()
      const { values } = await batches.next()
      const waitMs = performance.now() - startedAt
      const learningRate = learningRateAt(config, t)
      const { finite, figures } = await steps.take({ values, learningRate, t, random, diagnose: false })
      if (!finite) throw new GyreError('diverged', `The numbers of step ${t} were not finite.`)
      timed.stepMs.push(performance.now() - startedAt)
      timed.waitMs.push(waitMs)
      timed.loss = figures.loss
      subject.step = t
    }
    return { ...timed, peakRssBytes: peakRssBytes() }
  }

  async close(): Promise<void> {
    const subject = this.#subject
    this.#subject = null
    this.#key = ''
    await subject?.close()
  }
}
