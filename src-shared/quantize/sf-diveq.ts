// Space-filling DiVeQ: the codes are the corners of one long line, and a vector goes to a point between two of them.
// What comes out, in training and afterwards, is such a point: continuous, not a discrete code.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { SegmentEstimator } from './estimator'
import { rowDot, rowNorm, unitRows } from './rows'

export const sfDiveq: SegmentEstimator = {
  id: 'sf_diveq',
  kind: 'segment',
  name: 'Space-filling DiVeQ',
  formula:
    'q̃ = e + ‖c₁−e‖·sg((1−t)u₁) + ‖c₂−e‖·sg(t·u₂), uᵢ = unit(cᵢ−e+εᵢ); ' +
    '∇e = g − (1−t)w₁(u₁ᵀg) − t·w₂(u₂ᵀg), wᵢ = unit(cᵢ−e); ∇c₁ = (1−t)w₁(u₁ᵀg), ∇c₂ = t·w₂(u₂ᵀg)',
  source: 'DiVeQ 2025, arXiv 2509.26469',
  needs: 'nothing',
  apply: (e, { first, second, t }, noise) =>
    withGradient(
      [e, first, second],
      (save) => {
        const [d1, d2] = [tf.sub<tf.Tensor2D>(first, e), tf.sub<tf.Tensor2D>(second, e)] // [N, D]
        const u1 = tf.mul(unitRows(noise ? tf.add(d1, noise.first) : d1), tf.sub(1, t)) // [N, D]
        const u2 = tf.mul(unitRows(noise ? tf.add(d2, noise.second) : d2), t) // [N, D]
        save([unitRows(d1), unitRows(d2), u1, u2])
        return tf.addN([e, tf.mul(rowNorm(d1), u1), tf.mul(rowNorm(d2), u2)])
      },
      (g, saved) => {
        const [w1, w2, u1, u2] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
        const [pull1, pull2] = [tf.mul(w1, rowDot(u1, g)), tf.mul(w2, rowDot(u2, g))] // [N, D]
        return [tf.sub(tf.sub(g, pull1), pull2), pull1, pull2]
      },
    ),
}
