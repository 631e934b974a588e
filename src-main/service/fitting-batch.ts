// The answer to memory that has run out: the largest batch that fits, found by trying half as many images again and again,
// each time in a fresh process that may fall over. Where trying gives no answer in time, the estimate gives one.
import { totalmem } from 'node:os'
import { trainerContract } from '#shared/contract/trainer'
import type { EngineWish } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import type { RunConfig } from '#shared/config/index'
import { createClient } from '#shared/rpc/index'
import { estimateMemory } from './preflight'
import { NativeFault, TrainerCrash } from './trainer-crash'
import type { ChosenHost } from './trainer-host'

export interface BatchQuestion {
  config: RunConfig
  engine: EngineWish
  /** The run's packed images. */
  packed: string
  signal: AbortSignal
  /** Steps of the run were taken before: the memory was enough for its batches once. */
  hasWorked: boolean
}

interface Fit {
  batchSize: number
  /** Steps were taken with it; else it is an estimate. */
  tried: boolean
}

export interface BatchProbe {
  host: ChosenHost
  /** For all tries together. */
  limitMs?: number
}

/** The memory was not enough for a run's batches; `batchSize` is what to train with. */
export class BatchTooLarge extends GyreError {
  constructor(
    message: string,
    hint: string,
    readonly batchSize: number,
    cause: unknown,
  ) {
    super('out-of-memory', message, hint, { cause })
  }
}

/** The first sets memory up, the second is as all that follow. */
const triedSteps = 2
const usualLimitMs = 120_000
/** What an estimate may take of the machine's memory. */
const shareOfMemory = 0.7
const onProcessor: ReadonlySet<EngineWish> = new Set(['tensorflow-cpu', 'wasm'])

/** Whether steps of these batches can be taken in a process of their own; null where that is not found out. */
async function fits(
  { engine, packed, ...question }: BatchQuestion,
  batchSize: number,
  host: ChosenHost,
  signal: AbortSignal,
): Promise<boolean | null> {
  const config = { ...question.config, batchSize }
  const process = await host.start(engine)
  const stop = (): void => void process.kill()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const { trainer } = createClient(trainerContract, process.transport)
    await trainer.load({ engine })
    await trainer.bench({ config, packed, kind: 'usual', steps: triedSteps })
    return true
  } catch (error) {
    if (signal.aborted || !(error instanceof GyreError)) return null
    if (error.code === 'out-of-memory') return false
    const crash = error.code === 'disconnected' ? await process.ended : null
    return crash ? false : null
  } finally {
    signal.removeEventListener('abort', stop)
    await process.kill()
  }
}

/** It and its halves, down to one image. */
const halves = (batchSize: number): number[] =>
  batchSize <= 1 ? [1] : [batchSize, ...halves(Math.floor(batchSize / 2))]

/** By estimate; half of what did not fit where the memory that counts is a graphics card's. */
function estimated({ config, engine }: BatchQuestion, tooLarge: number): Fit {
  const below = halves(Math.max(1, Math.floor(tooLarge / 2)))
  const allowed = onProcessor.has(engine) ? totalmem() * shareOfMemory : Infinity
  const batchSize =
    below.find((size) => estimateMemory({ ...config, batchSize: size }, engine) <= allowed) ?? 1
  return { batchSize, tried: false }
}

/**
 * Halves the batch until it fits. Null where not even one image does.
 * @param untried Nothing says yet that the run's own batch is too large: where half of it fits, it is tried as well.
 */
async function findFit(
  question: BatchQuestion,
  untried: boolean,
  { host, limitMs = usualLimitMs }: BatchProbe,
): Promise<Fit | null> {
  const signal = AbortSignal.any([question.signal, AbortSignal.timeout(limitMs)])
  const { batchSize: whole } = question.config
  if (whole === 1 && untried) {
    const answer = await fits(question, 1, host, signal)
    return answer === false ? null : { batchSize: 1, tried: answer ?? false }
  }
  let tooLarge = whole
  for (const batchSize of halves(whole).slice(1)) {
    // Trying what can't fit would only make the system look for memory elsewhere.
    const hopeless =
      onProcessor.has(question.engine) &&
      estimateMemory({ ...question.config, batchSize }, question.engine) > 2 * totalmem()
    const answer = hopeless && batchSize > 1 ? false : await fits(question, batchSize, host, signal)
    if (answer === null) return estimated(question, tooLarge)
    if (answer) {
      const fitsWhole = untried && tooLarge === whole && (await fits(question, whole, host, signal)) === true
      return { batchSize: fitsWhole ? whole : batchSize, tried: true }
    }
    tooLarge = batchSize
  }
  return null
}

/** Whether an error is about memory, or may be. */
export function concernsMemory(error: GyreError, engine: EngineWish): boolean {
  return error.code === 'out-of-memory' || (error instanceof NativeFault && onProcessor.has(engine))
}

/** What to say instead of an error that a run ended with: the same one, where memory was not its cause. */
export async function answerMemory(
  error: GyreError,
  question: BatchQuestion,
  probe: BatchProbe,
): Promise<GyreError> {
  const { config, engine, signal, hasWorked } = question
  const wasStopped = (): boolean => signal.aborted
  if (!concernsMemory(error, engine) || wasStopped()) return error
  // A process that was ended may have been ended for the memory that others took, and others may have taken what a run had.
  const fit = await findFit(question, hasWorked || error instanceof TrainerCrash, probe)
  if (wasStopped()) return error
  const isFault = error instanceof NativeFault
  if (!fit)
    return isFault
      ? error
      : new GyreError(
          'out-of-memory',
          'The memory is not enough for this model, even with one image at a time.',
          'Use a smaller image size, fewer channels or fewer codes.',
          { cause: error },
        )
  const { batchSize, tried } = fit
  if (batchSize === config.batchSize) {
    if (isFault) return error
    const hint = tried
      ? `A batch size of ${batchSize} fits when it is tried now: something else may have needed the memory. Resume the run.`
      : 'Something else may have needed the memory. Close other programs and resume the run.'
    return new TrainerCrash('out-of-memory', error.message, hint, { cause: error })
  }
  const what = `batches of ${config.batchSize} images`
  return new BatchTooLarge(
    isFault
      ? `The engine crashed with ${what}, as it does where memory runs out.`
      : `The memory is not enough for ${what}.`,
    tried
      ? `A batch size of ${batchSize} fits: it was tried just now. Start a new run with it.`
      : `By estimate, a batch size of ${batchSize} fits. Start a new run with it.`,
    batchSize,
    error,
  )
}
