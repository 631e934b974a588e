// Rows scaled to length one, as a cosine codebook needs them. The gradient passes through the scaling.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'

const tiny = 1e-6

/** x [N, D] → x/‖x‖; ∇x = (g − y(yᵀg))/‖x‖. A zero row stays zero, and its gradient stays finite. */
export function normaliseRows(x: tf.Tensor2D): tf.Tensor2D {
  return withGradient(
    [x],
    (save) => {
      const norm = tf.maximum(tf.sqrt(tf.sum(tf.square(x), 1, true)), tiny) // [N, 1]
      const y = tf.div<tf.Tensor2D>(x, norm) // [N, D]
      save([y, norm])
      return y
    },
    (g, [y, norm]) => {
      if (!y || !norm) return []
      const radial = tf.sum(tf.mul(y, g), 1, true) // [N, 1]
      return [tf.div(tf.sub(g, tf.mul(y, radial)), norm)]
    },
  )
}
