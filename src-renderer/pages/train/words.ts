// Sentences of the Train page: what a status means, what happens next. Pure.
import { usesEstimator, type RunConfig } from '#shared/config/index'
import type { RunFile } from '#shared/contract/files'
import { count } from '../../format'
import { isActive } from '../../stores/run-status'
import { valueWord } from '../design/words'

/** PSNR of images in [−1, 1], in words; an empty string where there is none. */
export function psnrOf(mse: number): string {
  return mse > 0 && Number.isFinite(mse) ? `${(10 * Math.log10(4 / mse)).toFixed(1)} dB` : ''
}

/** How a run quantizes and passes gradients: `rotation trick`, `Residual, NSVQ`, `FSQ`. */
export function methodWords(config: Pick<RunConfig, 'quantizer' | 'estimator'>): string {
  const { quantizer, estimator } = config
  if (!usesEstimator(config)) return valueWord(quantizer)
  const known: Partial<Record<string, string>> = { rotation: 'rotation trick', ste: 'straight-through' }
  const words = known[estimator] ?? valueWord(estimator)
  return quantizer === 'vq' ? words : `${valueWord(quantizer)}, ${words}`
}

/** What an empty chart says: that values come, or that none did. */
export function noValuesYet({ status }: Pick<RunFile, 'status'>): string {
  return isActive(status) ? 'The first values come in a moment.' : 'Training ended before the first values.'
}

/** The same for the reconstructions. */
export function noImagesYet({ status, config }: Pick<RunFile, 'status' | 'config'>): string {
  return isActive(status)
    ? `Reconstructions appear at the first evaluation, after ${count(Math.min(config.evaluateEvery, config.steps))} steps.`
    : 'Training ended before the first evaluation.'
}

export interface Situation {
  tone: 'plain' | 'trouble'
  title: string
  text: string
  /** Name of the button that goes on; null where there is nothing to go on with. */
  resume: string | null
  /** Name of the button that designs the run anew, where resuming would end the same way. */
  redesign?: string
  /** Going on needs a larger number of steps. */
  needsMoreSteps: boolean
}

/**
 * What to say about a run that does not train now; null while it trains or prepares.
 * @param checkpointStep Step that a resume starts from; null when nothing was saved, undefined while that is not known yet.
 */
export function situationOf(run: RunFile, checkpointStep: number | null | undefined): Situation | null {
  const past = run.step >= run.config.steps
  const [from, saved] =
    checkpointStep === undefined
      ? [null, '']
      : checkpointStep === null
        ? ['Start again', 'Nothing had been saved yet.']
        : [
            `Resume from step ${count(checkpointStep)}`,
            `The state of step ${count(checkpointStep)} is saved; resuming goes on from there.`,
          ]
  const error = run.error ? [run.error.message, run.error.hint].filter(Boolean).join(' ') : ''
  switch (run.status) {
    case 'created':
    case 'preparing':
      return null
    case 'running':
      // It does not train any more: the service tries batch sizes, and then ends it with the answer.
      return run.error === null
        ? null
        : {
            tone: 'trouble',
            title: 'Training ended.',
            text: `${run.error.message} Gyre is trying smaller batches, for two minutes at most.`,
            resume: null,
            needsMoreSteps: false,
          }
    case 'paused':
      return {
        tone: 'plain',
        title: 'Paused.',
        text: 'The model stays in memory; Space goes on.',
        resume: null,
        needsMoreSteps: false,
      }
    case 'stopped':
      return {
        tone: 'plain',
        title: `Stopped and kept at step ${count(run.step)}.`,
        text: 'Look at its codebook next, or go on training.',
        resume: past ? 'Train longer' : 'Go on',
        needsMoreSteps: past,
      }
    case 'finished':
      return {
        tone: 'plain',
        title: `Finished ${count(run.step)} steps.`,
        text: 'Look at its codebook next, export it, or train longer.',
        resume: 'Train longer',
        needsMoreSteps: true,
      }
    case 'interrupted':
      return {
        tone: 'trouble',
        title: 'Interrupted.',
        text: [error || 'Gyre ended while this run was training.', saved].filter(Boolean).join(' '),
        resume: from,
        needsMoreSteps: past,
      }
    case 'failed':
      return {
        tone: 'trouble',
        title: 'Training failed.',
        text: [error, saved].filter(Boolean).join(' '),
        resume: from,
        ...(run.error?.batchSize && { redesign: `Design with batch size ${count(run.error.batchSize)}` }),
        needsMoreSteps: past,
      }
    case 'diverged':
      return {
        tone: 'trouble',
        title: 'Diverged.',
        text: `${error || `The loss was no longer a number. ${saved} Try a smaller learning rate.`} Resuming as it is would repeat the same steps.`,
        resume: checkpointStep === null ? null : from,
        redesign: 'Change the design',
        needsMoreSteps: past,
      }
  }
}
