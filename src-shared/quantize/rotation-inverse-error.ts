// The rotation with a scale that grows as the vector comes close to its code: γ = 1/(8‖q−e‖²), which the paper draws
// (arXiv 2410.06424) but does not train. Unbounded it explodes at the code, so training gives it a bound.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { CopyEstimator } from './estimator'
import { rotateBack } from './rotation'
import { rowSum } from './rows'

/** Keeps γ finite at q = e, where it has no bound of its own. */
const smallestError = 1e-12

export const rotationInverseError: CopyEstimator = {
  id: 'rotation_inverse_error',
  kind: 'copy',
  name: 'Rotation, scaled by 1/error',
  formula: '∇e = γRᵀg, γ = min(bound, 1/(8‖q−e‖²))',
  source: 'Fifty et al. 2025, arXiv 2410.06424, the family q̃ = γRe',
  needs: 'ema or codebook loss',
  apply: (e, q, { gammaBound = 0 } = {}) =>
    withGradient(
      [e],
      (save) => {
        save([e, q])
        return q.clone()
      },
      (g, saved) => {
        const [savedE, savedQ] = saved as [tf.Tensor2D, tf.Tensor2D]
        const error = tf.maximum(rowSum(tf.squaredDifference(savedQ, savedE)), smallestError) // [N, 1]
        const gamma = tf.div<tf.Tensor2D>(1 / 8, error)
        const bounded = gammaBound > 0 ? tf.minimum<tf.Tensor2D>(gamma, gammaBound) : gamma
        return [rotateBack(savedE, savedQ, g, bounded)]
      },
    ),
}
