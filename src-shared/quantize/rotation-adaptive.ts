// The rotation with a scale that is estimated per code: the γ(e) that arXiv 2410.06424 leaves to future work. Why this
// one, and how it compares with λ: docs/decisions/0002-adaptive-gamma.md.
import * as tf from '@tensorflow/tfjs-core'
import type { CopyEstimator } from './estimator'
import { rotatedCode } from './rotation'
import { rowNorm, tinyNorm } from './rows'

/** What a code remembers of the vectors that chose it. */
export interface NormStatistics {
  /** [K]: running sum of ‖e‖. */
  norms: tf.Tensor1D
  /** [K]: running sum of ‖e‖². */
  squares: tf.Tensor1D
}

/** Running sums, s ← ds + (1−d)Σ, over the vectors e [N, D] of one batch; `indices` int32 [N] name their codes. */
export function updateNormStatistics(
  before: NormStatistics,
  e: tf.Tensor2D,
  indices: tf.Tensor1D,
  decay: number,
): NormStatistics {
  const norm = tf.squeeze<tf.Tensor1D>(rowNorm(e), [1]) // [N]
  const mix = (old: tf.Tensor1D, values: tf.Tensor1D): tf.Tensor1D =>
    tf.add(tf.mul(old, decay), tf.mul(tf.unsortedSegmentSum(values, indices, old.shape[0]), 1 - decay))
  return { norms: mix(before.norms, norm), squares: mix(before.squares, tf.square(norm)) }
}

/**
 * γ of every vector, [N, 1]: ‖q‖·Σ‖e‖ / Σ‖e‖² over the vectors of its code. It is the one number per code that
 * makes γRe come nearest to q for all of them (least squares), where λ = ‖q‖/‖e‖ fits every vector by itself.
 * By Cauchy-Schwarz it is at most ‖q‖ over the mean ‖e‖, however short a single e is. q [N, D], indices int32 [N].
 */
export function leastSquaresGamma(
  q: tf.Tensor2D,
  indices: tf.Tensor1D,
  { norms, squares }: NormStatistics,
): tf.Tensor2D {
  const ratio = tf.div(norms, tf.maximum(squares, tinyNorm * tinyNorm)) // [K]
  return tf.mul(rowNorm(q), tf.expandDims(tf.gather(ratio, indices), 1))
}

export const rotationAdaptive: CopyEstimator = {
  id: 'rotation_adaptive',
  kind: 'copy',
  name: 'Rotation, scale per code',
  formula: '∇e = γRᵀg, γ = ‖q‖·Σ‖e‖/Σ‖e‖² over the vectors of the code (running sums)',
  source: 'Gyre, docs/decisions/0002-adaptive-gamma.md; named as future work in arXiv 2410.06424',
  needs: 'ema or codebook loss',
  apply: (e, q, { gamma } = {}) => rotatedCode(e, q, gamma),
}
