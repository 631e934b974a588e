// The rotation trick's way back as TensorFlow's own operation: the numbers of its composition, wherever it is defined or not.
import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { composedRotateBack, rotateBack, rotateBackKernel } from '#shared/quantize/rotation'
import { loadEngine, type Engine } from '#main/engine/index'

let engine: Engine
beforeAll(async () => {
  engine = await loadEngine('tensorflow-cpu')
})
afterAll(() => engine.close())

type Rows = { size: number; rows: [number[], number[], number[], number][] }

const number = fc.float({ min: -8, max: 8, noNaN: true, noDefaultInfinity: true })
/** Rows of e, q, g and γ; some codes are zero, the vector itself, or its opposite. */
const rows: fc.Arbitrary<Rows> = fc.integer({ min: 1, max: 21 }).chain((size) => {
  const vector = fc.array(number, { minLength: size, maxLength: size })
  const row = fc
    .tuple(
      vector,
      vector,
      vector,
      fc.float({ min: 0, max: 4, noNaN: true }),
      fc.constantFrom(null, -1, 0, 1, 1e-8),
    )
    .map(([e, q, g, gamma, factor]): [number[], number[], number[], number] => [
      e,
      factor === null ? q : e.map((x) => x * factor),
      g,
      gamma,
    ])
  return fc.array(row, { minLength: 1, maxLength: 6 }).map((all) => ({ size, rows: all }))
})

function both(
  { size, rows: all }: Rows,
  scaled: boolean,
): { own: number[]; composed: number[]; largest: number } {
  return tf.tidy(() => {
    const [e, q, g] = [0, 1, 2].map((i) =>
      tf.tensor2d(
        all.flatMap((row) => row[i] as number[]),
        [all.length, size],
      ),
    ) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] // [N, D]
    const gamma = scaled
      ? tf.tensor2d(
          all.map((row) => row[3]),
          [all.length, 1],
        )
      : undefined // [N, 1]
    return {
      own: [...rotateBack(e, q, g, gamma).dataSync()],
      composed: [...composedRotateBack(e, q, g, gamma).dataSync()],
      largest: largestOf(g) * largestOf(gamma ?? scaleOf(e, q)),
    }
  })
}

/** The largest magnitude, and at least 1. */
const largestOf = (x: tf.Tensor): number => Math.max(1, tf.max(tf.abs(x)).dataSync()[0] ?? NaN)

/** λ, as far as it says how large a result may be. [N] */
const scaleOf = (e: tf.Tensor2D, q: tf.Tensor2D): tf.Tensor =>
  tf.div(tf.norm(q, 'euclidean', 1), tf.maximum(tf.norm(e, 'euclidean', 1), 1e-6))

describe('rotateBack on TensorFlow', () => {
  it('is an operation of its own', () => {
    expect(tf.getKernel(rotateBackKernel, tf.getBackend())).toBeDefined()
  })

  it.each([false, true])('gives the numbers of its composition, with a given scale: %s', (scaled) => {
    fc.assert(
      fc.property(rows, (given) => {
        const { own, composed, largest } = both(given, scaled)
        own.forEach((value, i) =>
          expect(Math.abs(value - (composed[i] ?? NaN))).toBeLessThanOrEqual(2e-5 * given.size * largest),
        )
      }),
    )
  })

  it('passes on that a gradient is not finite', () => {
    tf.tidy(() => {
      const e = tf.tensor2d([[1, 2, 3, 4, 5]])
      const g = tf.tensor2d([[1, NaN, 0, 0, 0]])
      expect(rotateBack(e, tf.neg(e), g).dataSync().some(Number.isNaN)).toBe(true)
      expect(rotateBack(e, tf.add(e, 1), g).dataSync().some(Number.isNaN)).toBe(true)
    })
  })

  it('refuses rows of different shapes', () => {
    tf.tidy(() => {
      expect(() => rotateBack(tf.ones([2, 3]), tf.ones([2, 3]), tf.ones([2, 4]))).toThrow('rows of one shape')
    })
  })
})
