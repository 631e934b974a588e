// Noise substitution: the error vector is replaced by a random one of the same length, through which the gradient flows.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { NoisyEstimator } from './estimator'
import { rowDot, rowNorm, unitRows } from './rows'

export const nsvq: NoisyEstimator = {
  id: 'nsvq',
  kind: 'noisy',
  name: 'Noise substitution',
  formula: 'q̃ = e + ‖e−q‖·v̂, v ~ N(0, I); with w = unit(e−q): ∇e = g + w(v̂ᵀg), ∇q = −w(v̂ᵀg)',
  source: 'Vali and Bäckström 2022, NSVQ, IEEE Access 10',
  needs: 'nothing',
  apply: (e, q, noise) =>
    withGradient(
      [e, q],
      (save) => {
        const difference = tf.sub<tf.Tensor2D>(e, q) // [N, D]
        const direction = unitRows(noise) // [N, D]
        save([unitRows(difference), direction])
        return tf.add(e, tf.mul(rowNorm(difference), direction))
      },
      (g, saved) => {
        const [towardsE, direction] = saved as [tf.Tensor2D, tf.Tensor2D]
        const pull = tf.mul(towardsE, rowDot(direction, g)) // [N, D]
        return [tf.add(g, pull), tf.neg(pull)]
      },
    ),
}
