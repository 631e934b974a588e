// Vectors in the form of estimators.json: rows z and q, the gradient above, and what an estimator makes of them.
import * as tf from '@tensorflow/tfjs-core'
import type { VerifiedCase } from '#shared/contract/verify'
import { estimatorOf, estimators, type Estimator, type EstimatorId } from '#shared/quantize/index'
import { tidied } from '#main/model/tidied'
import { Errors } from './compare'
import type { EstimatorCase } from './files'
import { notSupported, passThrough } from './run'

/** For estimators and single quantizers, in float32. */
export const singleBound = 1e-5

export const isEstimator = (name: string): name is EstimatorId => name in estimators

/** q̃ of an estimator that works row by row. */
function output(
  estimator: Estimator,
  z: tf.Tensor2D,
  q: tf.Tensor2D,
  noise: tf.Tensor2D,
): tf.Tensor2D | null {
  if (estimator.kind === 'copy') return estimator.apply(z, q)
  if (estimator.kind === 'noisy') return estimator.apply(z, q, noise)
  return null
}

export function verifyEstimator(c: EstimatorCase): VerifiedCase {
  const { estimator: name, dim } = c
  if (!isEstimator(name)) return notSupported(name, dim, 'there is no estimator of this name')
  const estimator = estimatorOf(name)
  if (estimator.kind !== 'copy' && estimator.kind !== 'noisy')
    return notSupported(
      name,
      dim,
      'this estimator needs more than rows z and q: see the form of quantizers.json',
    )
  return tidied(() => {
    const [z, q] = [tf.tensor2d(c.z), tf.tensor2d(c.q)]
    const noise = c.noise ? tf.tensor2d(c.noise) : tf.zerosLike(z)
    const { value, gradients } = passThrough({ z, q }, tf.tensor2d(c.upstream), ({ z: e, q: code }) => {
      const result = output(estimator, e as tf.Tensor2D, code as tf.Tensor2D, noise)
      return result ?? e
    })
    const errors = new Errors()
    errors.add('forward', value, c.forward.flat())
    errors.add('gradZ', gradients.z, c.grad_z.flat())
    errors.add('gradQ', gradients.q, c.grad_q.flat())
    return {
      name,
      dim,
      quantities: errors.toQuantities(),
      indicesEqual: true,
      pass: errors.within(singleBound),
    }
  })
}
