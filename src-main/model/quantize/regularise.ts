// Losses on the codebook as a whole: directions apart from each other, and codes chosen surely but evenly.
import * as tf from '@tensorflow/tfjs-core'
import { normaliseRows } from '#shared/quantize/normalise'
import { nearness } from './search'

/**
 * ‖ĈĈᵀ − I‖²/K² with Ĉ the codes [K, D] at length one (vector-quantize-pytorch's orthogonal_reg_loss). The diagonal is
 * 1 already and ‖ĈĈᵀ‖ = ‖ĈᵀĈ‖, so it is (‖ĈᵀĈ‖² − K)/K², without the K×K matrix.
 */
export function orthogonalLoss(codebook: tf.Tensor2D): tf.Scalar {
  const codes = codebook.shape[0]
  const unit = normaliseRows(codebook)
  const gram = tf.matMul(unit, unit, true) // [D, D]
  return tf.div(tf.sub(tf.sum<tf.Scalar>(tf.square(gram)), codes), codes * codes)
}

/**
 * Mean over vectors of H(pᵢ) − H(mean of pᵢ), in nats, with pᵢ = softmax(−‖eᵢ − c‖²/τ): low where every vector is sure of
 * its code and all codes are used (LFQ, arXiv 2310.05737). e [N, D], codebook [K, D]; differentiable in both.
 */
export function entropyLoss(e: tf.Tensor2D, codebook: tf.Tensor2D, temperature: number): tf.Scalar {
  const logits = tf.mul<tf.Tensor2D>(nearness(e, codebook), 2 / temperature) // [N, K]
  const logShares = tf.logSoftmax(logits)
  const shares = tf.exp(logShares)
  const each = tf.neg(tf.mean(tf.sum(tf.mul(shares, logShares), 1)))
  const mean = tf.mean(shares, 0) // [K]
  const whole = tf.neg(tf.sum(tf.mul(mean, tf.log(tf.add(mean, 1e-20)))))
  return tf.sub(each, whole)
}
