// The rotation trick (arXiv 2410.06424, §4): q̃ = λRe with λ = ‖q‖/‖e‖ and R the rotation from ê to q̂, both held
// constant, so that the gradient keeps its angle to the code on the way to the encoder's output.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { CopyEstimator } from './estimator'
import { rowNorm, rowSum, tinyNorm } from './rows'

/** Below this length of ê+q̂ the rotation is not defined in float32, and the gradient is passed straight through. */
const tinySum = 1e-3

/**
 * The tfjs kernel that an engine may have for `rotateBack`: inputs e, q, g [N, D] and gamma [N, 1], or [0, 1] for λ. It takes
 * one pass over the rows, where the composition below takes some twenty.
 */
export const rotateBackKernel = 'RotateBack'

/**
 * γRᵀg = γ[g − 2r(rᵀg) + 2ê(q̂ᵀg)] with r = (ê+q̂)/‖ê+q̂‖, for rows of e, q, g [N, D], in O(D) a row (A.5).
 * Without `gamma` [N, 1] the scale is λ = ‖q‖/‖e‖. Equals g where ‖e‖, ‖q‖ or ‖ê+q̂‖ is tiny.
 */
export function rotateBack(e: tf.Tensor2D, q: tf.Tensor2D, g: tf.Tensor2D, gamma?: tf.Tensor2D): tf.Tensor2D {
  const kernel = tf.getKernel(rotateBackKernel, tf.getBackend()) as tf.KernelConfig | undefined
  if (!kernel) return composedRotateBack(e, q, g, gamma)
  const inputs = { e, q, g, gamma: gamma ?? tf.zeros<tf.Rank.R2>([0, 1]) }
  return tf.engine().runKernel<tf.Tensor2D>(rotateBackKernel, inputs)
}

/** `rotateBack` in the operations that every engine has. */
export function composedRotateBack(
  e: tf.Tensor2D,
  q: tf.Tensor2D,
  g: tf.Tensor2D,
  gamma?: tf.Tensor2D,
): tf.Tensor2D {
  const eNorm = rowNorm(e) // [N, 1]
  const qNorm = rowNorm(q) // [N, 1]
  const eSafe = tf.maximum(eNorm, tinyNorm)
  const eHat = tf.div(e, eSafe) // [N, D]
  const qHat = tf.div(q, tf.maximum(qNorm, tinyNorm)) // [N, D]
  const sum = tf.add(eHat, qHat) // [N, D], r before it is normalised
  const sumSquared = rowSum(tf.square(sum)) // [N, 1]
  const defined = tf.logicalAnd(
    tf.greater(tf.minimum(eNorm, qNorm), tinyNorm),
    tf.greater(sumSquared, tinySum * tinySum),
  )
  const scale = gamma ?? tf.div<tf.Tensor2D>(qNorm, eSafe) // [N, 1]
  // The three coefficients of γg, γr and γê, switched row by row: everything above is finite, so 0·x is 0.
  const alongG = tf.where(defined, scale, tf.onesLike(scale))
  const twice = tf.where(defined, tf.mul(scale, 2), tf.zerosLike(scale))
  const alongSum = tf.div(tf.mul(twice, rowSum(tf.mul(sum, g))), tf.maximum(sumSquared, tinySum * tinySum))
  const alongE = tf.mul(twice, rowSum(tf.mul(qHat, g)))
  return tf.add(tf.sub(tf.mul(g, alongG), tf.mul(sum, alongSum)), tf.mul(eHat, alongE))
}

/** q itself, with γRᵀg as the gradient to e. */
export function rotatedCode(e: tf.Tensor2D, q: tf.Tensor2D, gamma?: tf.Tensor2D): tf.Tensor2D {
  return withGradient(
    [e],
    (save) => {
      save(gamma ? [e, q, gamma] : [e, q])
      return q.clone()
    },
    (g, [savedE, savedQ, savedGamma]) => [
      rotateBack(savedE as tf.Tensor2D, savedQ as tf.Tensor2D, g, savedGamma as tf.Tensor2D | undefined),
    ],
  )
}

export const rotation: CopyEstimator = {
  id: 'rotation',
  kind: 'copy',
  name: 'Rotation trick',
  formula: '∇e = λ[g − 2r(rᵀg) + 2ê(q̂ᵀg)], λ = ‖q‖/‖e‖, r = (ê+q̂)/‖ê+q̂‖',
  source: 'Fifty et al. 2025, arXiv 2410.06424, §4 and A.5',
  needs: 'ema or codebook loss',
  apply: (e, q) => rotatedCode(e, q),
}
