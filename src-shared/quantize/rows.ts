// Lengths, directions and inner products of rows [N, D], safe at zero.
import * as tf from '@tensorflow/tfjs-core'

/** Below this a row counts as zero. */
export const tinyNorm = 1e-6

export const rowSum = (x: tf.Tensor): tf.Tensor2D => tf.sum(x, 1, true)
/** [N, D] → [N, 1] */
export const rowNorm = (x: tf.Tensor): tf.Tensor2D => tf.sqrt(rowSum(tf.square(x)))
export const rowDot = (x: tf.Tensor, y: tf.Tensor): tf.Tensor2D => rowSum(tf.mul(x, y))

/** x/‖x‖; a zero row stays zero. Rows shorter than float32 can square are scaled up before they are measured. */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  const largest = tf.max(tf.abs(x), 1, true) // [N, 1]
  const scaled = tf.div<tf.Tensor2D>(x, tf.maximum(largest, 1e-30)) // [N, D]
  return tf.div(scaled, tf.maximum(rowNorm(scaled), tinyNorm))
}
