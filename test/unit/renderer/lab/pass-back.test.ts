// The Lab's way through the estimators of training: the same numbers as the reference vectors, in the plane.
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import { landscapes, gradientRows } from '../../../../src-renderer/pages/lab/landscapes'
import { createLabCalls } from '../../../../src-renderer/pages/lab/worker/lab-calls'
import { NormAverage } from '../../../../src-renderer/pages/lab/worker/norm-average'
import { labDefaults, labEstimators, passBack } from '../../../../src-renderer/pages/lab/worker/pass-back'
import { estimatorCases } from '../../../support/golden'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

const flat = (rows: number[][]): Float32Array => Float32Array.from(rows.flat())

function expectNear(actual: Float32Array, expected: number[]): void {
  const largest = Math.max(...expected.map(Math.abs))
  expect(actual).toHaveLength(expected.length)
  actual.forEach((value, i) => expect(Math.abs(value - (expected[i] ?? 0)) / largest).toBeLessThan(1e-5))
}

describe('reference vectors in two dimensions', () => {
  const cases = estimatorCases().filter(({ dim }) => dim === 2)

  it.each(cases.map((c) => [c.estimator, c] as const))('%s', (estimator, c) => {
    const before = tf.memory().numTensors
    const passed = passBack({
      estimator,
      e: flat(c.z),
      q: flat(c.q),
      noise: c.noise ? flat(c.noise) : new Float32Array(2 * c.z.length),
      upstream: () => flat(c.upstream),
    })
    expectNear(passed.forward, c.forward.flat())
    expectNear(passed.gradient, c.grad_z.flat())
    expect(tf.memory().numTensors).toBe(before)
  })

  it('cover straight-through, the rotations, reflection and both with noise', () => {
    expect(cases.map(({ estimator }) => estimator).sort()).toEqual(
      ['diveq', 'nsvq', 'reflection', 'rotation', 'rotation_unscaled', 'ste'].sort(),
    )
  })
})

describe('estimators that need more than a pair', () => {
  const e = Float32Array.of(1.5, -0.5, 0.4, 2)
  const q = Float32Array.of(1, -1, 1, 2.5)
  const noise = new Float32Array(4)
  const upstream = (places: Float32Array): Float32Array => gradientRows(landscapes.himmelblau, places)

  it('exact gradient: what the function has at e', () => {
    const { gradient } = passBack({ estimator: 'exact_gradient', e, q, noise, upstream })
    expectNear(gradient, [...upstream(e)])
  })

  it('curvature: right for a quadratic function, where g + H(e−q) is the gradient at e', () => {
    const bowl = (places: Float32Array): Float32Array => gradientRows(landscapes.bowl, places)
    const { gradient } = passBack({ estimator: 'hessian', e, q, noise, upstream: bowl })
    expectNear(gradient, [...bowl(e)])
  })

  it('scale per code: ‖q‖·Σ‖e‖/Σ‖e‖² of the code’s vectors, in the direction of the rotation', () => {
    const chosen = Uint16Array.of(0, 0)
    const average = new NormAverage(1, 0)
    average.update(e, chosen)
    const one = Float32Array.of(1, -1, 1, -1)
    const scaled = passBack({
      estimator: 'rotation_adaptive',
      e,
      q: one,
      noise,
      norms: { chosen, average },
      upstream: () => Float32Array.of(1, 0, 1, 0),
    })
    const lengths = [Math.hypot(1.5, 0.5), Math.hypot(0.4, 2)] as const
    const gamma = (Math.SQRT2 * (lengths[0] + lengths[1])) / (lengths[0] ** 2 + lengths[1] ** 2)
    const [x = 0, y = 0] = scaled.gradient
    expect(Math.hypot(x, y)).toBeCloseTo(gamma, 5)
  })
})

describe('the list', () => {
  it('offers what has a nearest code, straight-through and rotation first', () => {
    const ids = labEstimators().map(({ id }) => id)
    expect(ids.slice(0, 2)).toEqual(['ste', 'rotation'])
    expect(ids).not.toContain('gumbel')
    expect(ids).not.toContain('sf_diveq')
  })

  it('refuses an estimator that is not there', () => {
    const upstream = (): Float32Array => new Float32Array(2)
    const rows = Float32Array.of(1, 2)
    expect(() => passBack({ estimator: 'none', e: rows, q: rows, noise: rows, upstream })).toThrow(/none/)
  })

  it('uses the defaults of a training run', () => {
    expect(defaultConfig).toMatchObject(labDefaults)
  })
})

describe('field', () => {
  it('is the exact gradient turned by nothing where a code lies on the arrow’s place', () => {
    const field = createLabCalls().field({
      estimators: ['ste', 'rotation'],
      landscape: 'bowl',
      codeCount: 16,
      gridSize: 5,
      halfWidth: 2,
      seed: 1,
    })
    expect(field.points).toHaveLength(50)
    expect(field.codes).toHaveLength(32)
    const rotation = field.lanes[1]?.gradient ?? new Float32Array(0)
    // For x² + y² the rotated gradient points along e itself, whatever the code.
    for (let i = 0; i < 25; i++) {
      const [ex, ey] = [field.points[2 * i] ?? 0, field.points[2 * i + 1] ?? 0]
      const [gx, gy] = [rotation[2 * i] ?? 0, rotation[2 * i + 1] ?? 0]
      if (Math.hypot(ex, ey) > 1e-6) expect(Math.abs(ex * gy - ey * gx)).toBeLessThan(1e-3)
    }
  })
})
