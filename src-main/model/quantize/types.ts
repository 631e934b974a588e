// What passes between encoder, quantizer and decoder. N vectors, B codebooks of K codes; a code's number counts through
// all codebooks: book · K + index.
import type * as tf from '@tensorflow/tfjs-core'
import type { NormStatistics } from '#shared/quantize/rotation-adaptive'
import type { GradientProbe } from '../diagnostics'

/** Everything random or scheduled in a step, as tensors, so that a step is a function of its inputs. */
export interface StepNoise {
  /** [N, D] */
  noise?: tf.Tensor2D
  /** [N, D]: towards the other end of the line (sf_diveq). */
  otherNoise?: tf.Tensor2D
  /** [K−1, 1] in [0, 1): where on each line between two codes (sf_diveq). */
  dither?: tf.Tensor2D
  /** [N, K] standard Gumbel. */
  gumbel?: tf.Tensor2D
  temperature?: tf.Scalar
  /** [B·K, Db] standard normal: how revived codes differ from the ones they were copied from. */
  jitter?: tf.Tensor2D
}

export interface StepContext {
  noise?: StepNoise
  /** Listens at both ends of the quantizer, which the losses do not pass. */
  probe?: GradientProbe | undefined
  /** [N, D]: what a probing estimator has asked the decoder before the step. */
  probed?: tf.Tensor2D | undefined
  /** Per codebook, as they are before the step (rotation_adaptive). */
  statistics?: readonly NormStatistics[]
}

/** What one codebook was asked, and what it answered. */
export interface Answer {
  /** [N, Db] in the space of the search. */
  searched: tf.Tensor2D
  /** int32 [N], within the codebook. */
  indices: tf.Tensor1D
  /** As they are after the step. */
  statistics?: NormStatistics
}

/** One pass in training, under the tape. Scalars are means over vectors. */
export interface Pass {
  /** [N, D]: what goes to the decoder. */
  output: tf.Tensor2D
  /** One per codebook. */
  answers: Answer[]
  /** Sum over codebooks of the mean over vectors and D of (e − sg q)², without β. */
  commitment: tf.Scalar
  /** The same of (q − sg e)², which trains the codes; null where something else does. */
  codebookLoss: tf.Scalar | null
  /** Mean over vectors of ‖e − q‖², in the space of the search. */
  error: tf.Scalar
}

/** What vectors become once training is over. */
export interface Found {
  /** int32 [N] per codebook, within it. */
  indices: tf.Tensor1D[]
  /** [N] per codebook: squared distance of what it was asked to its code. */
  bookErrors: tf.Tensor1D[]
  /** [N, D]: e in the space of the search. */
  searched: tf.Tensor2D
  /** [N, D]: the codes, summed or joined; what the tokens alone stand for. */
  codes: tf.Tensor2D
  /** [N, D]: what goes to the decoder; the codes, unless the quantizer is not discrete. */
  output: tf.Tensor2D
  /** [N]: ‖searched − output‖². */
  error: tf.Tensor1D
}

/** How vectors become codes, given the codebooks. Pure; variables live with the quantizer. */
export interface Scheme {
  /** e [N, D], books B × [K, Db]. */
  quantize: (e: tf.Tensor2D, books: readonly tf.Tensor2D[], context: StepContext) => Pass
  find: (e: tf.Tensor2D, books: readonly tf.Tensor2D[]) => Found
  /** One int32 [N] per codebook → [N, D]; null leaves that codebook out. */
  lookUp: (indices: readonly (tf.Tensor1D | null)[], books: readonly tf.Tensor2D[]) => tf.Tensor2D
}
