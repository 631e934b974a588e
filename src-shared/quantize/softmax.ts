// Softmax over the last dimension, from operations that every engine computes alike, one by one or as a graph.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from './custom-gradient'

/** x [..., K] → exp(x − max)/Σ, rows that sum to 1; ∇x = y∘(g − Σ g∘y). */
export function softmax<T extends tf.Tensor>(x: T): T {
  const last = x.rank - 1
  return withGradient<T>(
    [x],
    (save) => {
      const shares = tf.exp(tf.sub(x, tf.max(x, last, true)))
      const y = tf.div<T>(shares, tf.sum(shares, last, true))
      save([y])
      return y
    },
    (g, [y]) => {
      if (!y) return []
      const weighted = tf.mul(g, y)
      return [tf.sub(weighted, tf.mul(y, tf.sum(weighted, last, true)))]
    },
  )
}
