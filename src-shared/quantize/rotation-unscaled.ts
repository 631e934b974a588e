// The rotation without its scale: the gradient is turned and keeps its length (γ = 1 in arXiv 2410.06424, table 6).
import * as tf from '@tensorflow/tfjs-core'
import type { CopyEstimator } from './estimator'
import { rotatedCode } from './rotation'

export const rotationUnscaled: CopyEstimator = {
  id: 'rotation_unscaled',
  kind: 'copy',
  name: 'Rotation, not scaled',
  formula: '∇e = Rᵀg',
  source: 'Fifty et al. 2025, arXiv 2410.06424, the ablation of γ',
  needs: 'ema or codebook loss',
  apply: (e, q) => rotatedCode(e, q, tf.ones([e.shape[0], 1])),
}
