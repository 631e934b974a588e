// Reflection in place of rotation: R̃ maps ê to q̂ too, but mirrors what lies across (arXiv 2410.06424, A.8). A baseline:
// the paper saw two to three times the loss, and it is not defined where ê = q̂.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { CopyEstimator } from './estimator'
import { rowDot, rowNorm, rowSum, tinyNorm } from './rows'

/** Below this length of ê−q̂ there is no mirror in float32, and the gradient is passed straight through. */
const tinyDifference = 1e-3

/** λR̃g = λ[g − 2r(rᵀg)] with r = (ê−q̂)/‖ê−q̂‖; g where ‖e‖, ‖q‖ or ‖ê−q̂‖ is tiny. Rows [N, D]. */
export function reflectBack(e: tf.Tensor2D, q: tf.Tensor2D, g: tf.Tensor2D): tf.Tensor2D {
  const eNorm = rowNorm(e) // [N, 1]
  const qNorm = rowNorm(q) // [N, 1]
  const eSafe = tf.maximum(eNorm, tinyNorm)
  const difference = tf.sub(tf.div(e, eSafe), tf.div(q, tf.maximum(qNorm, tinyNorm))) // [N, D]
  const squared = rowSum(tf.square(difference)) // [N, 1]
  const defined = tf.logicalAnd(
    tf.greater(tf.minimum(eNorm, qNorm), tinyNorm),
    tf.greater(squared, tinyDifference ** 2),
  )
  const lambda = tf.div(qNorm, eSafe)
  const alongG = tf.where(defined, lambda, tf.onesLike(lambda))
  const twice = tf.where(defined, tf.mul(lambda, 2), tf.zerosLike(lambda))
  const alongR = tf.div(tf.mul(twice, rowDot(difference, g)), tf.maximum(squared, tinyDifference ** 2))
  return tf.sub(tf.mul(g, alongG), tf.mul(difference, alongR))
}

export const reflection: CopyEstimator = {
  id: 'reflection',
  kind: 'copy',
  name: 'Reflection',
  formula: '∇e = λ[g − 2r(rᵀg)], λ = ‖q‖/‖e‖, r = (ê−q̂)/‖ê−q̂‖',
  source: 'Fifty et al. 2025, arXiv 2410.06424, A.8',
  needs: 'ema or codebook loss',
  apply: (e, q) =>
    withGradient(
      [e],
      (save) => {
        save([e, q])
        return q.clone()
      },
      (g, [savedE, savedQ]) => [reflectBack(savedE as tf.Tensor2D, savedQ as tf.Tensor2D, g)],
    ),
}
