// What a gradient estimator is: how the gradient at the decoder's input passes the quantizer to the encoder's output.
// Five kinds, by what they need besides vectors and codes. None draws random numbers: noise comes as a tensor.
import type * as tf from '@tensorflow/tfjs-core'

export type EstimatorId =
  | 'ste'
  | 'rotation'
  | 'rotation_unscaled'
  | 'rotation_inverse_error'
  | 'rotation_adaptive'
  | 'reflection'
  | 'nsvq'
  | 'diveq'
  | 'sf_diveq'
  | 'gumbel'
  | 'hessian'
  | 'exact_gradient'

interface EstimatorFacts {
  id: EstimatorId
  name: string
  /** The output q̃ where it is not q, and the gradient ∇e in terms of e, q and g = ∂L/∂q̃. */
  formula: string
  source: string
  /**
   * What trains the codebook. `ema or codebook loss`: the gradient to q is zero, so something else must. `nothing`:
   * the estimator's own gradient reaches the codes, and auxiliary losses are left out.
   */
  needs: 'ema or codebook loss' | 'nothing'
}

/** How the scale γ of a rotation is chosen, where an estimator leaves it open. */
export interface ScaleOptions {
  /** [N, 1]: γ of each vector, for `rotation_adaptive`; without it γ = λ. */
  gamma?: tf.Tensor2D
  /** Largest γ of `rotation_inverse_error`; 0 or absent leaves it unbounded. */
  gammaBound?: number
}

/** Hands on the code itself; its gradient goes to e only. Finite for every finite e, q and g. */
export interface CopyEstimator extends EstimatorFacts {
  kind: 'copy'
  /** e, q [N, D] → q̃ = q [N, D]. */
  apply: (e: tf.Tensor2D, q: tf.Tensor2D, options?: ScaleOptions) => tf.Tensor2D
}

/** Puts noise in the code's place; its gradient goes to e and to q. */
export interface NoisyEstimator extends EstimatorFacts {
  kind: 'noisy'
  /** e, q [N, D], noise [N, D] (standard normal times √variance) → q̃ [N, D]. */
  apply: (e: tf.Tensor2D, q: tf.Tensor2D, noise: tf.Tensor2D) => tf.Tensor2D
}

/** A point on the line between two neighbouring codes; its gradient goes to e and both codes. */
export interface SegmentEstimator extends EstimatorFacts {
  kind: 'segment'
  /** e, first, second [N, D]: the codes at the ends; t [N, 1] in [0, 1]; noise two tensors [N, D], or null. */
  apply: (
    e: tf.Tensor2D,
    ends: { first: tf.Tensor2D; second: tf.Tensor2D; t: tf.Tensor2D },
    noise: { first: tf.Tensor2D; second: tf.Tensor2D } | null,
  ) => tf.Tensor2D
}

/** A mixture of all codes by their scores; its gradient goes to scores and codebook. */
export interface AssignmentEstimator extends EstimatorFacts {
  kind: 'assignment'
  /** logits, noise [N, K] (standard Gumbel); codebook [K, D]; temperature > 0 → [N, D]. */
  apply: (
    logits: tf.Tensor2D,
    codebook: tf.Tensor2D,
    noise: tf.Tensor2D,
    temperature: tf.Scalar | number,
  ) => tf.Tensor2D
}

/** ∂L/∂x at any decoder input x [N, D], as a constant: it must not be asked under a gradient tape. */
export type GradientAt = (x: tf.Tensor2D) => tf.Tensor2D

/** Asks the decoder for gradients at other places. First `probe`, outside the tape; then `apply` with its result. */
export interface ProbingEstimator extends EstimatorFacts {
  kind: 'probing'
  /** e, q [N, D] → what `apply` needs, [N, D]. `step` is the h of finite differences. */
  probe: (e: tf.Tensor2D, q: tf.Tensor2D, gradientAt: GradientAt, step: number) => tf.Tensor2D
  /** e, q, probed [N, D] → q̃ = q [N, D]; its gradient goes to e only. */
  apply: (e: tf.Tensor2D, q: tf.Tensor2D, probed: tf.Tensor2D) => tf.Tensor2D
}

export type Estimator =
  CopyEstimator | NoisyEstimator | SegmentEstimator | AssignmentEstimator | ProbingEstimator
