// Turns steps into training records: averages over the steps since the last record. When a record is due depends on
// the step and the configuration alone, never on the clock: a resumed run writes the records of a straight one.
import type { RunConfig } from '#shared/config/index'
import type { TrainRecord } from '#shared/contract/files'
import type { RecordSums } from './state'
import type { WindowFigures } from './windows'

/** Pixels of a batch that take about a tenth of a second to train on: one record for so many. */
const pixelsPerRecord = 262_144

/** Steps from record to record. */
export function recordInterval(config: Pick<RunConfig, 'batchSize' | 'imageSize'>): number {
  const pixels = config.batchSize * config.imageSize ** 2
  return Math.max(1, Math.min(100, Math.ceil(pixelsPerRecord / pixels)))
}

export interface StepFigures {
  loss: number
  mse: number
  commitmentLoss: number
  codebookLoss: number
  quantizationError: number
  gradientNorm: number
}

export function emptySums(): RecordSums {
  return {
    steps: 0,
    images: 0,
    loss: 0,
    mse: 0,
    commitmentLoss: 0,
    codebookLoss: 0,
    quantizationError: 0,
    gradientNorm: 0,
  }
}

/** What a record says besides averages. */
export interface RecordContext {
  step: number
  epoch: number
  trainedMs: number
  learningRate: number
  window: WindowFigures | null
}

export class RecordAverages {
  #sums: RecordSums
  readonly #hasCodebookLoss: boolean
  /** Since the last record or the start of this process; speed is not continued over a stop. */
  #speed = { steps: 0, images: 0, stepMs: 0, waitMs: 0 }

  constructor(hasCodebookLoss: boolean, sums = emptySums()) {
    this.#hasCodebookLoss = hasCodebookLoss
    this.#sums = { ...sums }
  }

  get sums(): RecordSums {
    return { ...this.#sums }
  }

  /** `stepMs` includes `waitMs`, the time without images to train on. */
  add(figures: StepFigures, images: number, stepMs: number, waitMs: number): void {
    const sums = this.#sums
    sums.steps++
    sums.images += images
    sums.loss += figures.loss
    sums.mse += figures.mse
    sums.commitmentLoss += figures.commitmentLoss
    sums.codebookLoss += figures.codebookLoss
    sums.quantizationError += figures.quantizationError
    sums.gradientNorm += figures.gradientNorm
    this.#speed.steps++
    this.#speed.images += images
    this.#speed.stepMs += stepMs
    this.#speed.waitMs += waitMs
  }

  /** The record of all steps since the last one; starts anew. */
  take({ step, epoch, trainedMs, learningRate, window }: RecordContext): TrainRecord {
    const { steps, ...sums } = this.#sums
    const { stepMs, waitMs } = this.#speed
    const perSecond = (amount: number): number => (stepMs > 0 ? (amount * 1000) / stepMs : 0)
    const record: TrainRecord = {
      kind: 'train',
      step,
      epoch,
      trainedMs,
      loss: sums.loss / steps,
      mse: sums.mse / steps,
      commitmentLoss: sums.commitmentLoss / steps,
      ...(this.#hasCodebookLoss && { codebookLoss: sums.codebookLoss / steps }),
      quantizationError: sums.quantizationError / steps,
      learningRate,
      gradientNorm: sums.gradientNorm / steps,
      stepsPerSecond: perSecond(this.#speed.steps),
      imagesPerSecond: perSecond(this.#speed.images),
      dataWaitFraction: stepMs > 0 ? waitMs / stepMs : 0,
      ...window,
    }
    this.#sums = emptySums()
    this.#speed = { steps: 0, images: 0, stepMs: 0, waitMs: 0 }
    return record
  }
}
