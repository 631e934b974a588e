// The estimators against float64 autograd of the paper's formulas.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { estimators, type EstimatorId } from '#shared/quantize/index'
import { edgeCases, estimatorCases, relativeError } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

/** Output and gradient to e of an estimator, for an upstream gradient. */
function pass(id: EstimatorId, e: tf.Tensor2D, q: tf.Tensor2D, g: tf.Tensor2D): [tf.Tensor, tf.Tensor] {
  const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => estimators[id].apply(x as tf.Tensor2D, q))(e, g)
  return [value, grad]
}

const isKnown = (id: string): id is EstimatorId => id in estimators

describe('golden vectors', () => {
  const cases = estimatorCases().filter(({ estimator }) => isKnown(estimator))
  test('cover both estimators in three dimensions', () => expect(cases).toHaveLength(6))

  test.each(cases.map((c) => [c.estimator, c.dim, c] as const))('%s, %d dimensions', (id, _, c) => {
    if (!isKnown(id)) throw new Error(id)
    const [z, q, g] = [tf.tensor2d(c.z), tf.tensor2d(c.q), tf.tensor2d(c.upstream)]
    const [value, grad] = pass(id, z, q, g)
    expect(value.dataSync()).toEqual(q.dataSync())
    expect(relativeError(value, c.forward)).toBeLessThan(1e-6)
    expect(relativeError(grad, c.grad_z)).toBeLessThan(2e-6)
  })
})

describe('edges', () => {
  const straightThrough = ['z_zero', 'q_zero', 'tiny', 'antipodal', 'near_antipodal']

  test.each(edgeCases().map((c) => [c.name, c] as const))('rotation at %s', (name, c) => {
    const [z, q, g] = [tf.tensor2d(c.z), tf.tensor2d(c.q), tf.tensor2d(c.upstream)]
    const [value, grad] = pass('rotation', z, q, g)
    expect(value.dataSync()).toEqual(q.dataSync())
    expect([...grad.dataSync()].every(Number.isFinite)).toBe(true)
    if (straightThrough.includes(name)) expect(grad.dataSync()).toEqual(g.dataSync())
    // Parallel vectors need no turning: the closed form is λg.
    if (name === 'parallel')
      expect(relativeError(grad, tf.mul(g, 2).arraySync() as number[][])).toBeLessThan(2e-6)
    if (name === 'equal') expect(relativeError(grad, c.upstream)).toBeLessThan(2e-6)
  })
})

test('the code gets no gradient from the reconstruction', () => {
  const e = tf.tensor2d([[1, 2]])
  const q = tf.tensor2d([[2, 1]])
  for (const { apply } of Object.values(estimators))
    expect(() => tf.grad((x: tf.Tensor) => apply(e, x as tf.Tensor2D))(q)).toThrow(/Cannot compute gradient/)
})
