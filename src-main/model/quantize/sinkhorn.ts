// OptVQ's assignment: codes shared out so that all are used about equally, by Sinkhorn's iteration on standardised
// distances (Zhang et al. 2024, arXiv 2412.15195). In the log domain, so that nothing under- or overflows.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { squaredDistances } from './search'

export type SinkhornConfig = Pick<RunConfig, 'sinkhornIterations' | 'sinkhornSharpness'>

/**
 * distances [N, K] → int32 [N]. With cost = (d − mean)/std over the whole matrix and Q = exp(−sharpness·cost), each round
 * first makes every code's column sum to one, then every vector's row; each vector takes its largest entry, the lowest
 * index where two are equal.
 */
export function sinkhornAssign(distances: tf.Tensor2D, config: SinkhornConfig): tf.Tensor1D {
  return tf.tidy(() => {
    const { mean, variance } = tf.moments(distances)
    const cost = tf.div(tf.sub(distances, mean), tf.sqrt(tf.maximum(variance, 1e-20)))
    let logQ = tf.mul(cost, -config.sinkhornSharpness)
    for (let i = 0; i < config.sinkhornIterations; i++) {
      const byCode = tf.tidy(() => tf.sub(logQ, tf.logSumExp(logQ, 0, true)))
      logQ.dispose()
      logQ = tf.tidy(() => tf.sub(byCode, tf.logSumExp(byCode, 1, true)))
      byCode.dispose()
    }
    return tf.argMax<tf.Tensor1D>(logQ, 1)
  })
}

/** Who gets which code: z [N, D], codebook [K, D] → int32 [N]. Holds all N·K scores at once. */
export function sinkhornCodes(z: tf.Tensor2D, codebook: tf.Tensor2D, config: SinkhornConfig): tf.Tensor1D {
  return tf.tidy(() => sinkhornAssign(squaredDistances(z, codebook), config))
}
