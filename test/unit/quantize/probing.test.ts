// The two baselines that ask the decoder again, against functions whose gradient and curvature are known.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, expect, test } from 'vitest'
import { estimators, type ProbingEstimator } from '#shared/quantize/index'
import { relativeError } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

/** L(x) = Σ ½xᵀAx + Σx⁴/4: ∇L = Ax + x³ and H = A + diag(3x²), for symmetric A. */
const a = [
  [2, -1],
  [-1, 3],
]
const gradientAt = (x: tf.Tensor2D): tf.Tensor2D => tf.add(tf.matMul(x, tf.tensor2d(a)), tf.pow(x, 3))

const e = [
  [0.9, -0.4],
  [0.2, 1.1],
]
const q = [
  [1, 0.1],
  [-0.3, 0.8],
]

function gradient(estimator: ProbingEstimator): tf.Tensor {
  const [x, code] = [tf.tensor2d(e), tf.tensor2d(q)]
  const probed = estimator.probe(x, code, gradientAt, 0.1)
  const { value, grad } = tf.valueAndGrad((t: tf.Tensor) => estimator.apply(t as tf.Tensor2D, code, probed))(
    x,
    gradientAt(code),
  )
  expect(value.dataSync()).toEqual(code.dataSync())
  return grad
}

const plain = (v: number[]): number[] =>
  v.map((x, i) => x ** 3 + (a[i] ?? []).reduce((sum, w, j) => sum + w * (v[j] ?? 0), 0))

test('hessian: g + H(e − q), with H at q', () => {
  const expected = q.map((code, row) => {
    const move = code.map((x, i) => (e[row]?.[i] ?? 0) - x)
    return plain(code).map(
      (g, i) =>
        g +
        3 * (code[i] ?? 0) ** 2 * (move[i] ?? 0) +
        (a[i] ?? []).reduce((sum, w, j) => sum + w * (move[j] ?? 0), 0),
    )
  })
  // Central differences of a cubic gradient are off by h²·(e−q)³.
  expect(relativeError(gradient(estimators.hessian), expected)).toBeLessThan(1e-3)
  expect(relativeError(gradient(estimators.hessian), q.map(plain))).toBeGreaterThan(0.05)
})

test('exact_gradient: the gradient at e, whatever it is at q', () => {
  expect(relativeError(gradient(estimators.exact_gradient), e.map(plain))).toBeLessThan(1e-6)
})

test('probing leaves one tensor', () => {
  const [x, code] = [tf.tensor2d(e), tf.tensor2d(q)]
  const before = tf.memory().numTensors
  for (const id of ['hessian', 'exact_gradient'] as const)
    tf.dispose(estimators[id].probe(x, code, (at) => tf.tidy(() => gradientAt(at)), 0.1))
  expect(tf.memory().numTensors).toBe(before)
})
