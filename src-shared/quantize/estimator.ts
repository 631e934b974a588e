// What a gradient estimator is: how the gradient at the decoder's input passes the quantizer to the encoder's output.
import type * as tf from '@tensorflow/tfjs-core'

export type EstimatorId = 'ste' | 'rotation'

export interface Estimator {
  id: EstimatorId
  name: string
  /** The gradient ∇e in terms of e, q and g = ∂L/∂q̃. */
  formula: string
  source: string
  /** What trains the codebook, since the reconstruction does not: its gradient to q is zero. */
  needs: 'ema or codebook loss' | 'nothing'
  /**
   * e, q [N, D] → q̃ [N, D], equal to q; its gradient goes to e only. Finite for every finite e, q and g.
   */
  apply: (e: tf.Tensor2D, q: tf.Tensor2D) => tf.Tensor2D
}
