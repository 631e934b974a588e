// The rotation trick (arXiv 2410.06424, §4): q̃ = λRe with λ = ‖q‖/‖e‖ and R the rotation from ê to q̂, both held
// constant, so that the gradient keeps its angle to the code on the way to the encoder's output.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { Estimator } from './estimator'

/** Below these the rotation is not defined in float32, and the gradient is passed straight through. */
const tinyNorm = 1e-6
const tinySum = 1e-3

const rowSum = (x: tf.Tensor): tf.Tensor2D => tf.sum(x, 1, true)
const rowNorm = (x: tf.Tensor): tf.Tensor2D => tf.sqrt(rowSum(tf.square(x)))

/**
 * λRᵀg = λ[g − 2r(rᵀg) + 2ê(q̂ᵀg)] with r = (ê+q̂)/‖ê+q̂‖, for rows of e, q, g [N, D], in O(D) a row (A.5).
 * Equals g where ‖e‖, ‖q‖ or ‖ê+q̂‖ is tiny.
 */
export function rotateBack(e: tf.Tensor2D, q: tf.Tensor2D, g: tf.Tensor2D): tf.Tensor2D {
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
  const lambda = tf.div(qNorm, eSafe)
  // The three coefficients of λg, λr and λê, switched row by row: everything above is finite, so 0·x is 0.
  const alongG = tf.where(defined, lambda, tf.onesLike(lambda))
  const twoLambda = tf.where(defined, tf.mul(lambda, 2), tf.zerosLike(lambda))
  const alongSum = tf.div(
    tf.mul(twoLambda, rowSum(tf.mul(sum, g))),
    tf.maximum(sumSquared, tinySum * tinySum),
  )
  const alongE = tf.mul(twoLambda, rowSum(tf.mul(qHat, g)))
  return tf.add(tf.sub(tf.mul(g, alongG), tf.mul(sum, alongSum)), tf.mul(eHat, alongE))
}

export const rotation: Estimator = {
  id: 'rotation',
  name: 'Rotation trick',
  formula: '∇e = λ[g − 2r(rᵀg) + 2ê(q̂ᵀg)], λ = ‖q‖/‖e‖, r = (ê+q̂)/‖ê+q̂‖',
  source: 'Fifty et al. 2025, arXiv 2410.06424, §4 and A.5',
  needs: 'ema or codebook loss',
  apply: (e, q) =>
    withGradient(
      [e],
      (save) => {
        save([e, q])
        return q.clone()
      },
      (g, [savedE, savedQ]) => [rotateBack(savedE as tf.Tensor2D, savedQ as tf.Tensor2D, g)],
    ),
}
