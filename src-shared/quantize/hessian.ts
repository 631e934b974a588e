// A baseline of arXiv 2410.06424: the straight-through gradient with the curvature between e and q put back in. The
// product of Hessian and e−q comes from two more passes, by central differences: tfjs has no correct second order.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'
import type { ProbingEstimator } from './estimator'

export const hessian: ProbingEstimator = {
  id: 'hessian',
  kind: 'probing',
  name: 'Straight-through with curvature',
  formula: '∇e = g + H(e−q), H(e−q) ≈ [∇L(q+h(e−q)) − ∇L(q−h(e−q))]/2h',
  source: 'Fifty et al. 2025, arXiv 2410.06424, the Hessian baseline',
  needs: 'ema or codebook loss',
  probe: (e, q, gradientAt, step) =>
    tf.tidy(() => {
      const move = tf.mul(tf.sub(e, q), step) // [N, D]
      return tf.div(tf.sub(gradientAt(tf.add(q, move)), gradientAt(tf.sub(q, move))), 2 * step)
    }),
  apply: (e, q, probed) =>
    withGradient(
      [e],
      (save) => {
        save([probed])
        return q.clone()
      },
      (g, [curvature]) => [curvature ? tf.add(g, curvature) : g],
    ),
}
