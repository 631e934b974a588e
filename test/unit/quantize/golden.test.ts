// The estimators against float64 autograd of the papers' formulas.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { estimatorOf, estimators, type EstimatorId } from '#shared/quantize/index'
import { edgeCases, estimatorCases, quantizerCases, relativeError, type Matrix } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const bound = 1e-5

/** Output and gradients to e and q (null where none flows) of an estimator that takes rows e, q and perhaps noise. */
function pass(
  id: EstimatorId,
  inputs: { e: Matrix; q: Matrix; g: Matrix; noise?: Matrix | null | undefined },
): { value: tf.Tensor; gradE: tf.Tensor; gradQ: tf.Tensor | null } {
  const [e, q, g] = [tf.tensor2d(inputs.e), tf.tensor2d(inputs.q), tf.tensor2d(inputs.g)]
  const noise = inputs.noise ? tf.tensor2d(inputs.noise) : tf.zerosLike(e)
  const estimator = estimatorOf(id)
  const run = (x: tf.Tensor, y: tf.Tensor): tf.Tensor2D => {
    if (estimator.kind === 'copy') return estimator.apply(x as tf.Tensor2D, y as tf.Tensor2D)
    if (estimator.kind === 'noisy') return estimator.apply(x as tf.Tensor2D, y as tf.Tensor2D, noise)
    throw new Error(`${id} takes other inputs.`)
  }
  if (estimator.kind === 'copy') {
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => run(x, q))(e, g)
    return { value, gradE: grad, gradQ: null }
  }
  const { value, grads } = tf.valueAndGrads((x: tf.Tensor, y: tf.Tensor) => run(x, y))([e, q], g)
  const [gradE, gradQ] = grads
  if (!gradE || !gradQ) throw new Error('No gradient.')
  return { value, gradE, gradQ }
}

describe('estimators.json', () => {
  const cases = estimatorCases()
  test('covers six estimators in three dimensions', () => expect(cases).toHaveLength(18))

  test.each(cases.map((c) => [c.estimator as EstimatorId, c.dim, c] as const))(
    '%s, %d dimensions',
    (id, _, c) => {
      const { value, gradE, gradQ } = pass(id, { e: c.z, q: c.q, g: c.upstream, noise: c.noise })
      expect(relativeError(value, c.forward)).toBeLessThan(1e-6)
      if (estimatorOf(id).kind === 'copy') expect(value.dataSync()).toEqual(Float32Array.from(c.q.flat()))
      expect(relativeError(gradE, c.grad_z)).toBeLessThan(bound)
      if (gradQ) expect(relativeError(gradQ, c.grad_q)).toBeLessThan(bound)
      else expect(c.grad_q.flat().every((x) => x === 0)).toBe(true)
    },
  )
})

describe('quantizers.json', () => {
  const caseOf = (name: string) => {
    const found = quantizerCases().find((c) => c.name === name)
    if (!found) throw new Error(`no case ${name}`)
    const input = (key: string): tf.Tensor2D => tf.tensor2d(found.inputs[key] ?? [])
    return { ...found, input }
  }

  test('rotation_inverse_error, unbounded', () => {
    const c = caseOf('rotation_inverse_error')
    const inputs = { e: c.inputs['z'] ?? [], q: c.inputs['q'] ?? [], g: c.upstream }
    const { value, gradE } = pass('rotation_inverse_error', inputs)
    expect(relativeError(value, c.forward)).toBeLessThan(1e-6)
    expect(relativeError(gradE, c.gradients['z'] ?? [])).toBeLessThan(bound)
  })

  test('diveq_noise', () => {
    const c = caseOf('diveq_noise')
    const inputs = { e: c.inputs['z'] ?? [], q: c.inputs['q'] ?? [], g: c.upstream, noise: c.inputs['noise'] }
    const { value, gradE, gradQ } = pass('diveq', inputs)
    expect(relativeError(value, c.forward)).toBeLessThan(bound)
    expect(relativeError(gradE, c.gradients['z'] ?? [])).toBeLessThan(bound)
    expect(relativeError(gradQ ?? tf.scalar(NaN), c.gradients['q'] ?? [])).toBeLessThan(bound)
  })

  test('sf_diveq', () => {
    const c = caseOf('sf_diveq')
    const { value, grads } = tf.valueAndGrads((z: tf.Tensor, c1: tf.Tensor, c2: tf.Tensor) =>
      estimators.sf_diveq.apply(
        z as tf.Tensor2D,
        { first: c1 as tf.Tensor2D, second: c2 as tf.Tensor2D, t: c.input('t') },
        null,
      ),
    )([c.input('z'), c.input('c1'), c.input('c2')], tf.tensor2d(c.upstream))
    expect(relativeError(value, c.forward)).toBeLessThan(bound)
    for (const [i, key] of ['z', 'c1', 'c2'].entries())
      expect(relativeError(grads[i] ?? tf.scalar(NaN), c.gradients[key] ?? [])).toBeLessThan(bound)
  })

  test('gumbel', () => {
    const c = caseOf('gumbel')
    const { value, grads } = tf.valueAndGrads((logits: tf.Tensor, codes: tf.Tensor) =>
      estimators.gumbel.apply(logits as tf.Tensor2D, codes as tf.Tensor2D, c.input('gumbel'), 0.5),
    )([c.input('logits'), c.input('codebook')], tf.tensor2d(c.upstream))
    expect(relativeError(value, c.forward)).toBeLessThan(bound)
    for (const [i, key] of ['logits', 'codebook'].entries())
      expect(relativeError(grads[i] ?? tf.scalar(NaN), c.gradients[key] ?? [])).toBeLessThan(bound)
  })
})

describe('edges', () => {
  const straightThrough = ['z_zero', 'q_zero', 'tiny', 'antipodal', 'near_antipodal']
  const edges = edgeCases()

  test.each(edges.map((c) => [c.name, c] as const))('rotation at %s', (name, c) => {
    const { value, gradE } = pass('rotation', { e: c.z, q: c.q, g: c.upstream })
    const g = tf.tensor2d(c.upstream)
    expect(value.dataSync()).toEqual(Float32Array.from(c.q.flat()))
    if (straightThrough.includes(name)) expect(gradE.dataSync()).toEqual(g.dataSync())
    // Parallel vectors need no turning: the closed form is λg.
    if (name === 'parallel')
      expect(relativeError(gradE, tf.mul(g, 2).arraySync() as number[][])).toBeLessThan(2e-6)
    if (name === 'equal') expect(relativeError(gradE, c.upstream)).toBeLessThan(2e-6)
  })

  const rowwise = (Object.keys(estimators) as EstimatorId[]).filter((id) =>
    ['copy', 'noisy'].includes(estimatorOf(id).kind),
  )
  const everywhere = rowwise.flatMap((id) => edges.map((c) => [id, c.name, c] as const))

  test.each(everywhere)('%s is finite at %s, and a copy is the code itself', (id, _, c) => {
    const { value, gradE, gradQ } = pass(id, { e: c.z, q: c.q, g: c.upstream })
    for (const tensor of [value, gradE, ...(gradQ ? [gradQ] : [])])
      expect([...tensor.dataSync()].every(Number.isFinite)).toBe(true)
    if (estimatorOf(id).kind === 'copy') expect(value.dataSync()).toEqual(Float32Array.from(c.q.flat()))
  })

  test.each(edges.map((c) => [c.name, c] as const))('sf_diveq is finite at %s', (_, c) => {
    const q = tf.tensor2d(c.q)
    const { value, grads } = tf.valueAndGrads((z: tf.Tensor, c1: tf.Tensor, c2: tf.Tensor) => {
      const ends = { first: c1 as tf.Tensor2D, second: c2 as tf.Tensor2D, t: tf.tensor2d([[0.5]]) }
      return estimators.sf_diveq.apply(z as tf.Tensor2D, ends, null)
    })([tf.tensor2d(c.z), q, tf.neg(q)], tf.tensor2d(c.upstream))
    for (const tensor of [value, ...grads]) expect([...tensor.dataSync()].every(Number.isFinite)).toBe(true)
  })
})

test('where an estimator needs a codebook loss, the code gets no gradient from the reconstruction', () => {
  const e = tf.tensor2d([[1, 2]])
  const q = tf.tensor2d([[2, 1]])
  for (const estimator of Object.values(estimators)) {
    if (estimator.kind !== 'copy') continue
    expect(estimator.needs).toBe('ema or codebook loss')
    expect(() => tf.grad((x: tf.Tensor) => estimator.apply(e, x as tf.Tensor2D))(q)).toThrow(
      /Cannot compute gradient/,
    )
  }
})
