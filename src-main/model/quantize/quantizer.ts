// Puts search, codebook and estimator together for one codebook: encoder outputs in, what the decoder sees and the two
// quantizer losses out.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { asConstant } from '#shared/quantize/custom-gradient'
import { estimatorOf, type ScaleOptions } from '#shared/quantize/index'
import {
  leastSquaresGamma,
  updateNormStatistics,
  type NormStatistics,
} from '#shared/quantize/rotation-adaptive'
import { meanSquaredError } from '../ops'
import { quantizeOnLine } from './line'
import { lookUp, toSearchSpace } from './look-up'
import { nearestCodes, nearness } from './search'
import type { StepContext } from './types'

export type QuantizerConfig = Pick<RunConfig, 'distance' | 'estimator' | 'codebookUpdate'> &
  Partial<Pick<RunConfig, 'gammaBound' | 'emaDecay'>>

export interface Quantized {
  /** [N, D]: equal to the codes for estimators that copy; its gradient goes to the encoder by the estimator. */
  output: tf.Tensor2D
  /** [N, D] e in the space of the search: normalised for cosine. */
  searched: tf.Tensor2D
  /** int32 [N]. */
  indices: tf.Tensor1D
  /** Mean over vectors and D of (e − sg q)², without β. */
  commitment: tf.Scalar
  /** Mean of (q − sg e)², which trains the codebook; absent with EMA, and where the estimator trains it. */
  codebookLoss: tf.Scalar | null
  /** Of rotation_adaptive, after this batch. */
  statistics?: NormStatistics
}

export interface BookContext extends Omit<StepContext, 'statistics'> {
  statistics?: NormStatistics | undefined
  /** [N, D]: `searched` once more, where the gradient through the estimator is listened to; not given to the losses. */
  through?: tf.Tensor2D | undefined
  /** int32 [N]: which code each vector gets; the nearest one where absent. */
  assign?: (searched: tf.Tensor2D, codebook: tf.Tensor2D) => tf.Tensor1D
}

function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RangeError(`This estimator needs ${what}.`)
  return value
}

/**
 * e [N, D] and codebook [K, D] (unit rows for cosine). Indices and output come from the codebook as it is.
 * Throws `RangeError` where the context lacks what the estimator needs.
 */
export function quantize(
  e: tf.Tensor2D,
  codebook: tf.Tensor2D,
  config: QuantizerConfig,
  context: BookContext = {},
): Quantized {
  const { probe, noise = {}, assign = nearestCodes } = context
  const estimator = estimatorOf(config.estimator)
  const searched = toSearchSpace(e, config.distance)
  const passed = context.through ?? probe?.input(searched) ?? searched
  if (estimator.kind === 'segment') {
    const { output, indices, points } = quantizeOnLine(passed, codebook, noise)
    const commitment = asConstant(() => meanSquaredError(searched, points))
    return {
      output: probe?.output(output, points) ?? output,
      searched,
      indices,
      commitment,
      codebookLoss: null,
    }
  }
  const indices = asConstant(() => assign(searched, codebook))
  const codes = lookUp(codebook, indices)
  const commitment = meanSquaredError(searched, codes)
  const finish = (output: tf.Tensor2D, statistics?: NormStatistics): Quantized => ({
    output: probe?.output(output, codes) ?? output,
    searched,
    indices,
    commitment,
    codebookLoss:
      config.codebookUpdate === 'gradient' && estimator.needs !== 'nothing'
        ? meanSquaredError(codes, searched)
        : null,
    ...(statistics && { statistics }),
  })
  switch (estimator.kind) {
    case 'copy': {
      const statistics =
        context.statistics &&
        updateNormStatistics(context.statistics, searched, indices, config.emaDecay ?? 0)
      const gamma = statistics && leastSquaresGamma(codes, indices, statistics)
      const scale: ScaleOptions = {
        ...(gamma && { gamma }),
        ...(config.gammaBound !== undefined && { gammaBound: config.gammaBound }),
      }
      return finish(estimator.apply(passed, codes, scale), statistics)
    }
    case 'noisy':
      return finish(estimator.apply(passed, codes, need(noise.noise, 'noise')))
    case 'probing':
      return finish(estimator.apply(passed, codes, need(context.probed, 'the decoder’s gradients')))
    case 'assignment': {
      // −‖e−c‖² but for ‖e‖², which softmax does not see.
      const logits = tf.mul<tf.Tensor2D>(nearness(passed, codebook), 2) // [N, K]
      const [gumbel, heat] = [need(noise.gumbel, 'noise'), need(noise.temperature, 'a temperature')]
      return finish(estimator.apply(logits, codebook, gumbel, heat))
    }
  }
}
