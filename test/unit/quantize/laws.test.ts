// Laws that hold for any vectors: what the rotation does to lengths and angles, and what the estimators never do.
import fc from 'fast-check'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { estimators } from '#shared/quantize/index'
import { normaliseRows } from '#shared/quantize/normalise'
import { rotateBack } from '#shared/quantize/rotation'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const component = fc.float({ min: -100, max: 100, noNaN: true, noDefaultInfinity: true })
const vector = (dim: number): fc.Arbitrary<number[]> =>
  fc.array(component, { minLength: dim, maxLength: dim })
const triple = fc.integer({ min: 2, max: 9 }).chain((dim) => fc.tuple(vector(dim), vector(dim), vector(dim)))

const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0)
const norm = (a: number[]): number => Math.sqrt(dot(a, a))
const cosine = (a: number[], b: number[]): number => dot(a, b) / (norm(a) * norm(b))

function rotated(e: number[], q: number[], g: number[]): number[] {
  return tf.tidy(() => [...rotateBack(tf.tensor2d([e]), tf.tensor2d([q]), tf.tensor2d([g])).dataSync()])
}

/** Where float32 can tell the two directions apart and the rotation is defined. */
function wellPosed([e, q, g]: [number[], number[], number[]]): boolean {
  return [e, q, g].every((v) => norm(v) > 1e-2) && cosine(e, q) > -0.999
}

describe('rotation trick', () => {
  test('the gradient is λ times as long', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q, g]) => {
        const expected = (norm(q) / norm(e)) * norm(g)
        expect(Math.abs(norm(rotated(e, q, g)) - expected)).toBeLessThan(1e-3 * expected)
      }),
    )
  })

  test('the gradient has the angle to e that it had to q', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q, g]) => {
        expect(Math.abs(cosine(e, rotated(e, q, g)) - cosine(q, g))).toBeLessThan(1e-3)
      }),
    )
  })

  test('it is finite for any finite vectors, zero and opposite ones included', () => {
    const scaled = fc.tuple(triple, fc.constantFrom(-1, 0, 1e-12, 1))
    fc.assert(
      fc.property(scaled, ([[e, q, g], factor]) => {
        const opposite = e.map((x) => x * factor)
        for (const code of [q, opposite]) expect(rotated(e, code, g).every(Number.isFinite)).toBe(true)
      }),
    )
  })

  test('it is not the straight-through gradient', () => {
    expect(rotated([1, 0], [0, 2], [1, 0])).not.toEqual([1, 0])
  })
})

test('every estimator hands on the code itself, bit for bit', () => {
  fc.assert(
    fc.property(triple, ([e, q]) => {
      for (const { apply } of Object.values(estimators)) {
        const output = tf.tidy(() => apply(tf.tensor2d([e]), tf.tensor2d([q])).dataSync())
        expect(output).toEqual(Float32Array.from(q))
      }
    }),
  )
})

describe('normalised rows', () => {
  test('have length one, and their gradient is at right angles to them', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([x, , g]) => {
        const upstream = tf.tensor2d([g])
        const { value, grad } = tf.valueAndGrad((t: tf.Tensor) => normaliseRows(t as tf.Tensor2D))(
          tf.tensor2d([x]),
          upstream,
        )
        const [y, dx] = [[...value.dataSync()], [...grad.dataSync()]]
        expect(norm(y)).toBeCloseTo(1, 5)
        expect(Math.abs(dot(y, dx))).toBeLessThan((1e-5 * norm(g)) / norm(x))
        const expected = Math.sqrt(Math.max(0, norm(g) ** 2 - dot(y, g) ** 2)) / norm(x)
        expect(Math.abs(norm(dx) - expected)).toBeLessThan((2e-3 * norm(g)) / norm(x))
      }),
    )
  })

  test('of zeros stay zero with a finite gradient', () => {
    const zero = tf.zeros<tf.Rank.R2>([2, 3])
    const { value, grad } = tf.valueAndGrad((t: tf.Tensor) => normaliseRows(t as tf.Tensor2D))(
      zero,
      tf.ones([2, 3]),
    )
    expect([...value.dataSync()]).toEqual([0, 0, 0, 0, 0, 0])
    expect([...grad.dataSync()].every(Number.isFinite)).toBe(true)
  })
})
