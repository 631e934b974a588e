// Gumbel-softmax: while training, a noisy mixture of all codes that hardens as the temperature falls. Needs memory for
// one score per vector and code.
import * as tf from '@tensorflow/tfjs-core'
import type { AssignmentEstimator } from './estimator'
import { softmax } from './softmax'

export const gumbel: AssignmentEstimator = {
  id: 'gumbel',
  kind: 'assignment',
  name: 'Gumbel-softmax',
  formula: 'q̃ = softmax((logits + G)/τ)·C, G standard Gumbel; the gradient is that of the mixture',
  source: 'Jang et al. 2017, arXiv 1611.01144; Ramesh et al. 2021, arXiv 2102.12092 (τ from 1 to 1/16)',
  needs: 'nothing',
  apply: (logits, codebook, noise, temperature) => {
    const shares = softmax(tf.div<tf.Tensor2D>(tf.add(logits, noise), temperature)) // [N, K]
    return tf.matMul(shares, codebook)
  },
}
