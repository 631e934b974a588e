// The training loop: step, record, evaluate, save, in this order and at fixed steps, with a gate between steps where
// pause and stop are noticed. Nothing here depends on the clock but the times that are reported.
import { setImmediate } from 'node:timers/promises'
import { GyreError } from '#shared/contract/errors'
import type { TrainOutcome } from '#shared/contract/trainer'
import type { RunStatus } from '#shared/contract/files'
import { diagnosticsDue, learningRateAt } from '#main/model/index'
import type { TrainControl } from './control'
import { evaluate } from './evaluate'
import { recordInterval } from './records'
import { writeReconstructions } from './samples'
import type { TrainSession } from './session'

/** For tests: what a bad batch or a bad gradient would do, at a chosen step. */
export interface LoopHooks {
  onBatch?: (step: number, values: Float32Array) => void
  onStep?: (step: number) => void | Promise<void>
}

export interface LoopOptions {
  control: TrainControl
  onStatus: (status: RunStatus, step: number) => void
  hooks?: LoopHooks | undefined
}

const smallerRate = 'Try a smaller learning rate.'

class Loop {
  readonly #session: TrainSession
  readonly #options: LoopOptions
  readonly #interval: number

  constructor(session: TrainSession, options: LoopOptions) {
    this.#session = session
    this.#options = options
    this.#interval = recordInterval(session.config)
  }

  async run(): Promise<TrainOutcome> {
    const session = this.#session
    const { control, onStatus } = this.#options
    onStatus('running', session.step)
    session.watch.start()
    // An evaluation that a stop cut off is made up for.
    if (session.step > 0 && !session.evaluation && this.#evaluationDue()) {
      await this.#measure()
      if (!control.stopping) await this.#save()
    }
    while (session.step < session.config.steps && !control.stopping) {
      if (control.pausing) await this.#pause()
      else if (!(await this.#advance())) return this.#diverged()
    }
    return this.#end()
  }

  /** One step and what belongs to it. False when its numbers were not finite: nothing has changed then. */
  async #advance(): Promise<boolean> {
    const session = this.#session
    const { hooks, control } = this.#options
    const { config } = session
    const step = session.step + 1
    const startedAt = performance.now()
    const { values } = await session.batches.next()
    const waitMs = performance.now() - startedAt
    hooks?.onBatch?.(step, values)
    const learningRate = learningRateAt(config, step)
    const diagnose = diagnosticsDue(step, this.#interval)
    const { random } = session
    const taken = await session.steps.take({ values, learningRate, t: step, random, diagnose })
    const { finite, figures, indices, revived, diagnostics } = taken
    if (!finite) return false

    session.step = step
    session.evaluation = null
    const window = session.windows.add(step, indices, revived)
    session.averages.add(figures, config.batchSize, performance.now() - startedAt, waitMs)
    const [epoch, trainedMs] = [session.batches.epochOf(step), session.watch.elapsedMs]
    if (window || step % this.#interval === 0 || step === config.steps)
      await session.record(session.averages.take({ step, epoch, trainedMs, learningRate, window }))
    if (diagnostics) await session.record({ kind: 'diagnostics', step, epoch, trainedMs, ...diagnostics })
    const improved = this.#evaluationDue() && (await this.#measure())
    // A stop saves by itself; after one, an evaluation that is missing must be seen to be missing.
    if (!control.stopping && (improved || step % config.checkpointEvery === 0)) await this.#save()
    await hooks?.onStep?.(step)
    await setImmediate()
    return true
  }

  #evaluationDue(): boolean {
    const { step, config } = this.#session
    return step % config.evaluateEvery === 0 || step === config.steps
  }

  /** True when the model has become the best so far. A stop leaves the evaluation out. */
  async #measure(): Promise<boolean> {
    const session = this.#session
    const { step, model, pack, samples, forward } = session
    const signal = this.#options.control.stopSignal
    try {
      const validation = await evaluate({ model, forward }, pack, session.splits.validation, { signal })
      if (!Object.values(validation).every(Number.isFinite))
        throw new GyreError('diverged', `A metric was not a finite number at step ${step}.`, smallerRate)
      await writeReconstructions(session.runFolder, step, forward, pack, samples)
      const best = validation.mse < (session.best?.mse ?? Number.POSITIVE_INFINITY)
      session.evaluation = validation
      session.last = { ...validation, step }
      if (best) session.best = session.last
      const [epoch, trainedMs] = [session.batches.epochOf(step), session.watch.elapsedMs]
      await session.record({ kind: 'evaluation', step, epoch, trainedMs, validation, best })
      return best
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }

  async #save(): Promise<void> {
    this.#session.watch.stop()
    await this.#session.save()
    this.#session.watch.start()
  }

  async #pause(): Promise<void> {
    const session = this.#session
    const { control, onStatus } = this.#options
    session.watch.stop()
    // A paused run may be closed, or killed.
    await session.save()
    await session.event('paused', `Paused at step ${session.step}.`)
    onStatus('paused', session.step)
    await control.standStill()
    if (control.stopping) return
    await session.event('resumed', `Goes on from step ${session.step}.`)
    onStatus('running', session.step)
    session.watch.start()
  }

  async #diverged(): Promise<TrainOutcome> {
    const session = this.#session
    session.watch.stop()
    const words = `The loss or its gradient was not a finite number at step ${session.step + 1}; the step was not taken.`
    await session.event('diverged', `${words} ${smallerRate}`)
    this.#options.onStatus('diverged', session.step)
    return { status: 'diverged', step: session.step, validation: session.evaluation }
  }

  async #end(): Promise<TrainOutcome> {
    const session = this.#session
    const { step, config, evaluation } = session
    session.watch.stop()
    await session.save()
    const finished = step >= config.steps && evaluation !== null
    const status = finished ? 'finished' : 'stopped'
    await session.event(status, finished ? `Finished at step ${step}.` : `Stopped at step ${step}.`)
    this.#options.onStatus(status, step)
    return { status, step, validation: evaluation }
  }
}

/** Trains until the last step, a stop or a step that is not finite. */
export function runLoop(session: TrainSession, options: LoopOptions): Promise<TrainOutcome> {
  return new Loop(session, options).run()
}
