// DiVeQ: a step of the right length in the code's direction, jittered by a little noise; only the length carries the
// gradient, so e and q are both trained by the reconstruction and no auxiliary loss is needed.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { NoisyEstimator } from './estimator'
import { rowDot, rowNorm, unitRows } from './rows'

export const diveq: NoisyEstimator = {
  id: 'diveq',
  kind: 'noisy',
  name: 'DiVeQ',
  formula: 'q̃ = e + ‖q−e‖·sg(u), u = unit(q−e+ε); with w = unit(q−e): ∇e = g − w(uᵀg), ∇q = w(uᵀg)',
  source: 'DiVeQ 2025, arXiv 2509.26469; the variance of ε is a variance here, as printed',
  needs: 'nothing',
  apply: (e, q, noise) =>
    withGradient(
      [e, q],
      (save) => {
        const difference = tf.sub<tf.Tensor2D>(q, e) // [N, D]
        const direction = unitRows(tf.add(difference, noise)) // [N, D]
        save([unitRows(difference), direction])
        return tf.add(e, tf.mul(rowNorm(difference), direction))
      },
      (g, saved) => {
        const [towardsQ, direction] = saved as [tf.Tensor2D, tf.Tensor2D]
        const pull = tf.mul(towardsQ, rowDot(direction, g)) // [N, D]
        return [tf.sub(g, pull), pull]
      },
    ),
}
