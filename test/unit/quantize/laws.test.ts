// Laws that hold for any vectors: what the rotation does to lengths and angles, and what the estimators never do.
import fc from 'fast-check'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { estimators, type CopyEstimator } from '#shared/quantize/index'
import { leastSquaresGamma, updateNormStatistics } from '#shared/quantize/rotation-adaptive'
import { normaliseRows } from '#shared/quantize/normalise'
import { rotateBack } from '#shared/quantize/rotation'
import { relativeError } from '../../support/golden'
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

const copies = Object.values(estimators).filter(
  (one): one is CopyEstimator & typeof one => one.kind === 'copy',
)

/** ∇e of one vector. */
function gradient(
  { apply }: CopyEstimator,
  [e, q, g]: [number[], number[], number[]],
  options?: Parameters<CopyEstimator['apply']>[2],
): number[] {
  return tf.tidy(() => {
    const run = (x: tf.Tensor): tf.Tensor => apply(x as tf.Tensor2D, tf.tensor2d([q]), options)
    return [
      ...tf
        .grad(run)(tf.tensor2d([e]), tf.tensor2d([g]))
        .dataSync(),
    ]
  })
}

/** ∇e for every unit vector g: the rows of the matrix that g is multiplied with, transposed. */
const matrix = (estimator: CopyEstimator, e: number[], q: number[]): number[][] =>
  e.map((_, i) => gradient(estimator, [e, q, e.map((__, j) => (i === j ? 1 : 0))]))

describe('ste, rotation, rotation_unscaled, rotation_inverse_error, rotation_adaptive, reflection', () => {
  test('hand on the code itself, bit for bit', () => {
    fc.assert(
      fc.property(triple, ([e, q]) => {
        for (const { apply } of copies) {
          const output = tf.tidy(() => apply(tf.tensor2d([e]), tf.tensor2d([q])).dataSync())
          expect(output).toEqual(Float32Array.from(q))
        }
      }),
    )
  })

  test('are finite for any finite vectors', () => {
    const scaled = fc.tuple(triple, fc.constantFrom(-1, 0, 1e-12, 1))
    fc.assert(
      fc.property(scaled, ([[e, q, g], factor]) => {
        const opposite = e.map((x) => x * factor)
        for (const one of copies)
          for (const code of [q, opposite])
            expect(gradient(one, [e, code, g]).every(Number.isFinite), one.id).toBe(true)
      }),
    )
  })
})

describe('rotation_unscaled', () => {
  test('R is orthogonal: RRᵀ = I', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q]) => {
        const rows = matrix(estimators.rotation_unscaled, e, q)
        rows.forEach((a, i) => {
          rows.forEach((b, j) => expect(Math.abs(dot(a, b) - (i === j ? 1 : 0))).toBeLessThan(2e-3))
        })
      }),
    )
  })

  test('keeps the length of g and its angle: ∠(e,∇e) = ∠(q,g)', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q, g]) => {
        const back = gradient(estimators.rotation_unscaled, [e, q, g])
        expect(Math.abs(norm(back) - norm(g))).toBeLessThan(1e-3 * norm(g))
        expect(Math.abs(cosine(e, back) - cosine(q, g))).toBeLessThan(1e-3)
      }),
    )
  })
})

describe('rotation_inverse_error', () => {
  test('is as long as γ says, and never longer than its bound', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), fc.constantFrom(0.01, 1, 10), ([e, q, g], bound) => {
        const error = e.reduce((sum, x, i) => sum + (x - (q[i] ?? 0)) ** 2, 0)
        const gamma = Math.min(bound, 1 / (8 * error))
        const back = gradient(estimators.rotation_inverse_error, [e, q, g], { gammaBound: bound })
        expect(Math.abs(norm(back) - gamma * norm(g))).toBeLessThan(2e-3 * gamma * norm(g))
      }),
    )
  })
})

describe('reflection', () => {
  // Where ê and q̂ are apart; closer than that the mirror is lost in float32.
  const apart = triple.filter(([e, q, g]) => [e, q, g].every((v) => norm(v) > 1e-2) && cosine(e, q) < 0.999)

  test('is λ times an orthogonal matrix that is its own inverse', () => {
    fc.assert(
      fc.property(apart, ([e, q, g]) => {
        const lambda = norm(q) / norm(e)
        const once = gradient(estimators.reflection, [e, q, g]).map((x) => x / lambda)
        const twice = gradient(estimators.reflection, [e, q, once]).map((x) => x / lambda)
        expect(Math.abs(norm(once) - norm(g))).toBeLessThan(2e-3 * norm(g))
        expect(norm(twice.map((x, i) => x - (g[i] ?? 0)))).toBeLessThan(5e-3 * norm(g))
      }),
    )
  })
})

describe('rotation_adaptive', () => {
  test('with one vector a code it is the rotation trick: γ = λ', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q, g]) => {
        const gamma = tf.tidy(() => {
          const zero = tf.zeros<tf.Rank.R1>([1])
          const index = tf.tensor1d([0], 'int32')
          const statistics = updateNormStatistics(
            { norms: zero, squares: zero },
            tf.tensor2d([e]),
            index,
            0.8,
          )
          return leastSquaresGamma(tf.tensor2d([q]), index, statistics)
        })
        const own = gradient(estimators.rotation_adaptive, [e, q, g], { gamma })
        const expected = rotated(e, q, g)
        expect(norm(own.map((x, i) => x - (expected[i] ?? 0)))).toBeLessThan(1e-4 * norm(expected))
      }),
    )
  })

  test('γ is the least-squares fit of ‖q‖ by γ‖e‖ over the vectors of a code, and bounded', () => {
    const cell = fc.tuple(vector(3), fc.array(vector(3), { minLength: 1, maxLength: 6 }))
    fc.assert(
      fc.property(
        cell.filter(([q, es]) => norm(q) > 0.1 && es.some((e) => norm(e) > 0.1)),
        ([q, es]) => {
          const gamma = tf.tidy(() => {
            const zero = tf.zeros<tf.Rank.R1>([2])
            const indices = tf.fill<tf.Rank.R1>([es.length], 1, 'int32')
            const statistics = updateNormStatistics(
              { norms: zero, squares: zero },
              tf.tensor2d(es),
              indices,
              0.5,
            )
            return leastSquaresGamma(tf.tensor2d(es.map(() => q)), indices, statistics).dataSync()[0] ?? NaN
          })
          const loss = (scale: number): number =>
            es.reduce((sum, e) => sum + (norm(q) - scale * norm(e)) ** 2, 0)
          expect(loss(gamma)).toBeLessThanOrEqual(loss(gamma * 1.01) + 1e-4 * norm(q) ** 2)
          expect(loss(gamma)).toBeLessThanOrEqual(loss(gamma * 0.99) + 1e-4 * norm(q) ** 2)
          const mean = es.reduce((sum, e) => sum + norm(e), 0) / es.length
          expect(gamma).toBeLessThanOrEqual((norm(q) / mean) * 1.001)
        },
      ),
    )
  })
})

describe('nsvq, diveq and sf_diveq', () => {
  test('move e by exactly its distance to the code, in whatever direction (nsvq, diveq)', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q, noise]) => {
        const far = norm(e.map((x, i) => x - (q[i] ?? 0)))
        for (const id of ['nsvq', 'diveq'] as const) {
          const [x, code, v] = [tf.tensor2d([e]), tf.tensor2d([q]), tf.tensor2d([noise])]
          const output = tf.tidy(() => [...estimators[id].apply(x, code, v).dataSync()])
          const moved = norm(output.map((y, i) => y - (e[i] ?? 0)))
          expect(Math.abs(moved - far)).toBeLessThan(1e-3 * Math.max(far, norm(e)))
        }
      }),
    )
  })

  test('moving e and the code together moves the output with them: ∇e + ∇q = g', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q, g]) => {
        const noise = tf.tensor2d([g.toReversed()])
        for (const id of ['nsvq', 'diveq'] as const) {
          const run = (x: tf.Tensor, y: tf.Tensor): tf.Tensor =>
            estimators[id].apply(x as tf.Tensor2D, y as tf.Tensor2D, noise)
          const [de, dq] = tf.grads(run)([tf.tensor2d([e]), tf.tensor2d([q])], tf.tensor2d([g]))
          const sum = tf.add(de ?? tf.scalar(NaN), dq ?? tf.scalar(NaN)).dataSync()
          sum.forEach((x, i) => expect(Math.abs(x - (g[i] ?? 0))).toBeLessThan(1e-4 * norm(g)))
        }
      }),
    )
  })

  test('sf_diveq at the ends of its line is diveq without noise', () => {
    fc.assert(
      fc.property(triple.filter(wellPosed), ([e, q, g]) => {
        const [x, code] = [tf.tensor2d([e]), tf.tensor2d([q])]
        const other = tf.tensor2d([g])
        const ends = { first: code, second: other, t: tf.tensor2d([[0]]) }
        const [a, b] = [
          estimators.sf_diveq.apply(x, ends, null),
          estimators.diveq.apply(x, code, tf.zerosLike(x)),
        ]
        // Zeros may differ in sign.
        expect(
          tf
            .equal(a, b)
            .dataSync()
            .every((same) => same === 1),
        ).toBe(true)
      }),
    )
  })
})

describe('nsvq and gumbel are true gradients', () => {
  /** ∂(g·f)/∂x by central differences in float32. */
  function numeric(f: (x: tf.Tensor2D) => tf.Tensor, at: number[][], g: number[][], h = 1e-2): number[] {
    const value = (values: number[][]): number =>
      tf.tidy(() => tf.sum(tf.mul(f(tf.tensor2d(values)), tf.tensor2d(g))).dataSync()[0] ?? NaN)
    return at.flatMap((row, i) =>
      row.map((x, j) => {
        const moved = (by: number): number[][] =>
          at.map((r, k) => r.map((y, l) => (k === i && l === j ? x + by : y)))
        return (value(moved(h)) - value(moved(-h))) / (2 * h)
      }),
    )
  }
  const e = [
    [0.9, -0.4, 0.3],
    [0.2, 1.1, -0.6],
  ]
  const q = [
    [1.4, 0.3, -0.2],
    [-0.5, 0.6, 0.1],
  ]
  const g = [
    [0.7, -1.2, 0.4],
    [0.3, 0.8, -0.5],
  ]

  test('nsvq, to e and to q', () => {
    const noise = tf.tensor2d([
      [0.1, -0.9, 0.4],
      [1.2, 0.3, 0.2],
    ])
    const toE = (x: tf.Tensor): tf.Tensor => estimators.nsvq.apply(x as tf.Tensor2D, tf.tensor2d(q), noise)
    const toQ = (x: tf.Tensor): tf.Tensor => estimators.nsvq.apply(tf.tensor2d(e), x as tf.Tensor2D, noise)
    expect(relativeError(tf.grad(toE)(tf.tensor2d(e), tf.tensor2d(g)), numeric(toE, e, g))).toBeLessThan(2e-3)
    expect(relativeError(tf.grad(toQ)(tf.tensor2d(q), tf.tensor2d(g)), numeric(toQ, q, g))).toBeLessThan(2e-3)
  })

  test('gumbel, to logits and to the codebook; cold, it picks one code', () => {
    const noise = tf.tensor2d([
      [0.1, 0.5],
      [-0.3, 0.2],
    ])
    const logits = [
      [0.3, -0.2],
      [0.1, 0.6],
    ]
    const toLogits = (x: tf.Tensor): tf.Tensor =>
      estimators.gumbel.apply(x as tf.Tensor2D, tf.tensor2d(q), noise, 0.7)
    const toCodes = (x: tf.Tensor): tf.Tensor =>
      estimators.gumbel.apply(tf.tensor2d(logits), x as tf.Tensor2D, noise, 0.7)
    const analytic = tf.grad(toLogits)(tf.tensor2d(logits), tf.tensor2d(g))
    expect(relativeError(analytic, numeric(toLogits, logits, g))).toBeLessThan(2e-3)
    expect(
      relativeError(tf.grad(toCodes)(tf.tensor2d(q), tf.tensor2d(g)), numeric(toCodes, q, g)),
    ).toBeLessThan(2e-3)
    const cold = estimators.gumbel.apply(tf.tensor2d([[0, 9]]), tf.tensor2d(q), tf.zeros([1, 2]), 1 / 16)
    expect(relativeError(cold, [q[1] ?? []])).toBeLessThan(1e-6)
  })
})

test('no estimator leaves a tensor behind', () => {
  const [e, q, g] = [tf.tensor2d([[1, 2]]), tf.tensor2d([[2, 1]]), tf.tensor2d([[3, -1]])]
  const before = tf.memory().numTensors
  // The straight-through gradient may be g itself, so each gets a copy.
  for (const estimator of copies) {
    const upstream = g.clone()
    const grad = tf.grad((x: tf.Tensor) => estimator.apply(x as tf.Tensor2D, q))(e, upstream)
    tf.dispose([grad, upstream])
  }
  for (const id of ['nsvq', 'diveq'] as const) {
    const run = (x: tf.Tensor, y: tf.Tensor): tf.Tensor =>
      estimators[id].apply(x as tf.Tensor2D, y as tf.Tensor2D, g)
    tf.dispose(tf.grads(run)([e, q], g))
  }
  expect(tf.memory().numTensors).toBe(before)
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
