// Puts search, codebook and estimator together: encoder outputs in, what the decoder sees and the two quantizer
// losses out.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { asConstant, withGradient } from '#shared/quantize/custom-gradient'
import { estimators } from '#shared/quantize/index'
import { normaliseRows } from '#shared/quantize/normalise'
import type { GradientProbe } from '../diagnostics'
import { meanSquaredError } from '../ops'
import { nearestCodes } from './search'

export type QuantizerConfig = Pick<RunConfig, 'distance' | 'estimator' | 'codebookUpdate'>

export interface Quantized {
  /** [N, D]: equal to the codes; its gradient goes to the encoder by the estimator. */
  output: tf.Tensor2D
  /** [N, D] e in the space of the search: normalised for cosine. */
  searched: tf.Tensor2D
  /** int32 [N]. */
  indices: tf.Tensor1D
  /** Mean over vectors and D of (e − sg q)², without β. */
  commitment: tf.Scalar
  /** Mean of (q − sg e)², which trains the codebook; absent with EMA. */
  codebookLoss: tf.Scalar | null
}

/** Rows of the codebook by index; the gradient adds up per code. The indices stay off the tape. */
export function lookUp(codebook: tf.Tensor2D, indices: tf.Tensor1D): tf.Tensor2D {
  return withGradient<tf.Tensor2D>(
    [codebook],
    (save) => {
      save([indices])
      return tf.gather(codebook, indices)
    },
    (g, [saved]) => [tf.unsortedSegmentSum(g, saved as tf.Tensor1D, codebook.shape[0])],
  )
}

/** Encoder outputs in the space where codes are sought. */
export function toSearchSpace(e: tf.Tensor2D, distance: RunConfig['distance']): tf.Tensor2D {
  return distance === 'cosine' ? normaliseRows(e) : e
}

/**
 * e [N, D] and codebook [K, D] (unit rows for cosine). Indices and output come from the codebook as it is. A `probe`
 * listens at both ends of the estimator, which the losses do not pass.
 */
export function quantize(
  e: tf.Tensor2D,
  codebook: tf.Tensor2D,
  config: QuantizerConfig,
  probe?: GradientProbe,
): Quantized {
  const searched = toSearchSpace(e, config.distance)
  const indices = asConstant(() => nearestCodes(searched, codebook))
  const codes = lookUp(codebook, indices)
  const output = estimators[config.estimator].apply(probe?.input(searched) ?? searched, codes)
  return {
    output: probe?.output(output, codes) ?? output,
    searched,
    indices,
    commitment: meanSquaredError(searched, codes),
    codebookLoss: config.codebookUpdate === 'gradient' ? meanSquaredError(codes, searched) : null,
  }
}
