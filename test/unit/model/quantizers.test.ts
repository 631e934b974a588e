// What every quantizer promises: sums, indices that say what the output is, balanced codes, regularisers, draws.
import fc from 'fast-check'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { configSchema, type ConfigInput, type RunConfig } from '#shared/config/schema'
import { totalCodes } from '#shared/config/quantizers'
import { createModel, createRandom, type VqModel } from '#main/model/index'
import { reviveDeadCodes, startState } from '#main/model/quantize/codebook'
import { scalarGrid, signGrid } from '#main/model/quantize/grids'
import { drawNoise, normals, temperatureAt } from '#main/model/quantize/noise'
import { entropyLoss, orthogonalLoss } from '#main/model/quantize/regularise'
import { residualScheme } from '#main/model/quantize/residual'
import { sinkhornAssign } from '#main/model/quantize/sinkhorn'
import { inverse, projectOnSimplex } from '#main/model/quantize/soft-convex'
import { nearestOnLine } from '#main/model/quantize/line'
import { relativeError } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const configOf = (change: ConfigInput): RunConfig =>
  configSchema.parse({
    imageSize: 16,
    batchSize: 2,
    codebookSize: 16,
    codeDim: 4,
    channels: 16,
    residualBlocks: 1,
    ...change,
  })

function rows(count: number, dim: number, seed: number): tf.Tensor2D {
  return tf.tensor2d(normals(count * dim, createRandom(seed)), [count, dim])
}

const images = (): tf.Tensor4D => tf.reshape(rows(2 * 16 * 16, 3, 8), [2, 16, 16, 3])

const trained = { codebookUpdate: 'gradient' } as const
const quantizers: [string, ConfigInput][] = [
  ['vq', {}],
  ['vq, projected', { latentDim: 6 }],
  ['vq, sf_diveq', { estimator: 'sf_diveq', ...trained }],
  ['residual', { quantizer: 'residual', quantizerDepth: 3 }],
  ['grouped', { quantizer: 'grouped' }],
  ['grouped, cosine', { quantizer: 'grouped', distance: 'cosine' }],
  ['simvq', { quantizer: 'simvq', ...trained }],
  ['ibq', { quantizer: 'ibq', ...trained }],
  ['optvq', { quantizer: 'optvq' }],
  ['soft_convex', { quantizer: 'soft_convex', ...trained }],
  ['fsq', { quantizer: 'fsq', fsqLevels: [4, 3], codeDim: 2, codebookSize: 12 }],
  ['lfq', { quantizer: 'lfq' }],
]

describe.each(quantizers)('%s', (name, change) => {
  const config = configOf(change)
  const continuous = name.includes('sf_diveq') || name === 'soft_convex'
  const withModel = (work: (model: VqModel) => void): void => {
    const before = tf.memory().numTensors
    tf.tidy(() => {
      const model = createModel(config, 4)
      work(model)
      model.dispose()
    })
    expect(tf.memory().numTensors).toBe(before)
  }

  test('its code numbers say what the decoder gets', () => {
    withModel((model) => {
      const found = model.nearest(model.encode(images()))
      const numbers = found.indices.dataSync()
      expect(found.indices.shape).toEqual([
        2,
        4,
        4,
        ...(model.quantizer.books > 1 ? [model.quantizer.books] : []),
      ])
      expect(Math.max(...numbers)).toBeLessThan(totalCodes(config))
      expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
      const again = model.lookUp(tf.tensor1d([...numbers], 'int32'))
      expect(again.shape).toEqual(found.output.shape)
      if (!continuous) expect(relativeError(again, [...found.output.dataSync()])).toBeLessThan(1e-5)
      expect(model.codebook().shape[0]).toBe(totalCodes(config))
      expect(model.decode(again).shape).toEqual([2, 16, 16, 3])
    })
  })

  test('what it says of distances fits its codes', () => {
    withModel((model) => {
      const { searched, codes, error, bookErrors, indices } = model.nearest(model.encode(images()))
      const whole = tf.sum(tf.squaredDifference(searched, codes), 3)
      if (!continuous) expect(relativeError(error, [...whole.dataSync()])).toBeLessThan(1e-4)
      // A mixture, or a point between codes, is never farther away than the nearest code.
      else expect(tf.all(tf.lessEqual(error, tf.add(whole, 1e-5))).dataSync()[0]).toBe(1)
      expect(bookErrors.shape).toEqual(indices.shape)
    })
  })

  test('every code by itself has the shape that the decoder takes', () => {
    withModel((model) => {
      const last = totalCodes(config) - 1
      const alone = model.alone([0, last])
      expect(alone.shape).toEqual([2, 4, 4, model.encode(images()).shape[3]])
    })
  })

  test('ends with what the decoder is given in training, where nothing is drawn by chance', () => {
    if (continuous || name === 'optvq') return
    withModel((model) => {
      const z = model.encode(images())
      const flat = tf.reshape<tf.Rank.R2>(z, [-1, z.shape[3]])
      const pass = model.quantizer.quantize(flat, {})
      expect(relativeError(pass.output, [...model.nearest(z).output.dataSync()])).toBeLessThan(1e-5)
      const mean = tf.mean(model.nearest(z).error)
      expect(relativeError(pass.error, [...mean.dataSync()])).toBeLessThan(1e-4)
    })
  })
})

describe('residual', () => {
  test('e is the sum of its codes and what is left over', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 4 }), (seed, depth) => {
        const config = configOf({ quantizer: 'residual', quantizerDepth: depth })
        tf.tidy(() => {
          const e = rows(7, 4, seed)
          const books = Array.from({ length: depth }, (_, i) => rows(16, 4, seed + i + 1))
          const { answers, output, error } = residualScheme(config).quantize(e, books, {})
          const sum = answers.map(({ indices }, i) => tf.gather(books[i] ?? e, indices))
          expect(relativeError(output, [...tf.addN(sum).dataSync()])).toBeLessThan(1e-5)
          // Each level is asked for what the ones before it left over.
          answers.forEach(({ searched }, level) => {
            const left = sum.slice(0, level).reduce<tf.Tensor>((rest, code) => tf.sub(rest, code), e)
            expect(relativeError(searched, [...left.dataSync()])).toBeLessThan(1e-5)
          })
          const left = tf.mean(tf.sum(tf.squaredDifference(e, output), 1)).dataSync()[0] ?? NaN
          expect(error.dataSync()[0]).toBeCloseTo(left, 4)
        })
      }),
      { numRuns: 20 },
    )
  })
})

describe('optvq', () => {
  test('shares codes out evenly where the nearest would all be one', () => {
    // 12 vectors of which all are nearest to code 0, by little.
    const distances = tf.tensor2d(
      Array.from({ length: 12 }, (_, i) =>
        Array.from({ length: 4 }, (__, k) => (k === 0 ? 1 : 1.1 + 0.01 * ((i * 7 + k * 5) % 12))),
      ),
    )
    const config = { sinkhornIterations: 50, sinkhornSharpness: 10 }
    const chosen = [...sinkhornAssign(distances, config).dataSync()]
    const counts = [0, 1, 2, 3].map((code) => chosen.filter((one) => one === code).length)
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(2)
  })

  test('is finite and complete for distances of any size', () => {
    for (const scale of [1e-6, 1, 1e6]) {
      const distances = tf.mul<tf.Tensor2D>(tf.square(rows(30, 8, 3)), scale)
      const chosen = [
        ...sinkhornAssign(distances, { sinkhornIterations: 5, sinkhornSharpness: 10 }).dataSync(),
      ]
      expect(chosen.every((code) => Number.isInteger(code) && code >= 0 && code < 8)).toBe(true)
      expect(new Set(chosen).size).toBe(8)
    }
  })
})

describe('soft convex', () => {
  test('the projection is on the simplex, and nearest among its neighbours', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const p = rows(5, 6, seed)
        const projected = projectOnSimplex(p).arraySync()
        const given = p.arraySync()
        projected.forEach((row, i) => {
          expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5)
          expect(Math.min(...row)).toBeGreaterThanOrEqual(0)
          // Optimal: p − x is the same wherever x > 0, and no larger elsewhere.
          const slack = row.map((x, k) => (given[i]?.[k] ?? 0) - x)
          const tau = Math.max(...slack)
          row.forEach((x, k) => {
            if (x > 1e-6) expect(slack[k]).toBeCloseTo(tau, 4)
          })
        })
      }),
      { numRuns: 30 },
    )
  })

  test('inverts what can be inverted', () => {
    const half = rows(6, 6, 2)
    const a = tf.add<tf.Tensor2D>(tf.matMul(half, half, true), tf.mul(tf.eye(6), 0.1))
    expect(relativeError(tf.matMul(a, inverse(a)), tf.eye(6).arraySync())).toBeLessThan(1e-4)
  })
})

describe('sf_diveq', () => {
  test('afterwards, no other point of the line is nearer', () => {
    const [e, codes] = [rows(20, 3, 1), rows(6, 3, 2)]
    const { error } = nearestOnLine(e, codes)
    const errors = error.dataSync()
    const points = e.arraySync()
    const line = codes.arraySync()
    points.forEach((point, i) => {
      let least = Infinity
      for (let k = 0; k + 1 < line.length; k++)
        for (let t = 0; t <= 1; t += 1 / 64)
          least = Math.min(
            least,
            point.reduce((sum, x, d) => {
              const [a, b] = [line[k]?.[d] ?? 0, line[k + 1]?.[d] ?? 0]
              return sum + (x - a - t * (b - a)) ** 2
            }, 0),
          )
      expect(errors[i]).toBeLessThanOrEqual(least + 1e-5)
      expect(errors[i]).toBeGreaterThan(least - 0.05)
    })
  })
})

test('grids list every code once', () => {
  const scalars = scalarGrid([4, 3])
  expect(scalars.slice(0, 5)).toEqual([
    [-1, -1],
    [-0.5, -1],
    [0, -1],
    [0.5, -1],
    [-1, 0],
  ])
  expect(new Set(scalars.map(String)).size).toBe(12)
  expect(signGrid(2)).toEqual([
    [-1, -1],
    [-1, 1],
    [1, -1],
    [1, 1],
  ])
})

describe('regularisers', () => {
  test('orthogonality: 0 for codes at right angles, (K−1)/K for codes that point one way', () => {
    expect(orthogonalLoss(tf.mul(tf.eye(5), 3)).dataSync()[0]).toBeCloseTo(0, 6)
    expect(orthogonalLoss(tf.ones([5, 3])).dataSync()[0]).toBeCloseTo(4 / 5, 5)
  })

  test('orthogonality is ‖ĈĈᵀ − I‖²/K²', () => {
    const codes = rows(9, 4, 5)
    const unit = tf.div<tf.Tensor2D>(codes, tf.norm(codes, 2, 1, true))
    const direct = tf.div(tf.sum(tf.square(tf.sub(tf.matMul(unit, unit, false, true), tf.eye(9)))), 81)
    expect(relativeError(orthogonalLoss(codes), [...direct.dataSync()])).toBeLessThan(1e-4)
  })

  test('entropy: −log K where each vector is sure and all codes are used, 0 where one code takes all', () => {
    const codes = tf.mul<tf.Tensor2D>(tf.eye(4), 10)
    expect(entropyLoss(codes, codes, 0.1).dataSync()[0]).toBeCloseTo(-Math.log(4), 4)
    expect(
      entropyLoss(tf.tile(tf.slice(codes, [1, 0], [1, -1]), [6, 1]), codes, 0.1).dataSync()[0],
    ).toBeCloseTo(0, 4)
    // Nobody is sure, all are used alike: both entropies are log K.
    expect(entropyLoss(tf.zeros([3, 4]), codes, 0.1).dataSync()[0]).toBeCloseTo(0, 4)
  })
})

describe('draws', () => {
  test('normal numbers have mean 0 and variance 1, and repeat from one seed', () => {
    const values = normals(20_001, createRandom(1))
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.03)
    expect(variance).toBeCloseTo(1, 1)
    expect(normals(20_001, createRandom(1))).toEqual(values)
  })

  test('noiseVariance is a variance', () => {
    const config = configOf({ estimator: 'diveq', ...trained, noiseVariance: 0.25 })
    const { noise } = drawNoise(config, 2000, 1, createRandom(3))
    const values: Float32Array | undefined = noise?.dataSync<'float32'>()
    if (!values) throw new Error('No noise.')
    expect(values.reduce((a, b) => a + b * b, 0) / values.length).toBeCloseTo(0.25, 1)
  })

  test('the temperature falls exponentially from first step to last', () => {
    const config = { temperature: 1, finalTemperature: 1 / 16, steps: 5 }
    expect([1, 2, 3, 4, 5, 9].map((t) => temperatureAt(config, t))).toEqual([
      1,
      1 / 2,
      1 / 4,
      1 / 8,
      1 / 16,
      1 / 16,
    ])
  })

  test('nothing is drawn where nothing is needed: the generator stands still', () => {
    const random = createRandom(2)
    const before = random.state()
    expect(drawNoise(configOf({}), 10, 1, random)).toEqual({})
    expect(random.state()).toEqual(before)
  })
})

test('a code revived from use lands beside the one it is a copy of', () => {
  const config = { ...configOf({ codebookSize: 2, codeDim: 2, deadCodeThreshold: 0.5 }) }
  const codes = tf.tensor2d([
    [3, 4],
    [9, 9],
  ])
  const state = { ...startState(codes, config), counts: tf.tensor1d([5, 0]) }
  const used = tf.gather(codes, tf.tensor1d([0, 0], 'int32'))
  const chosen = tf.tensor1d([1, 0], 'int32')
  const next = reviveDeadCodes(
    state,
    used,
    chosen,
    config,
    tf.tensor2d([
      [1, 1],
      [1, -1],
    ]),
  )
  const [kept, revived] = next.codebook.arraySync()
  expect(kept).toEqual([3, 4])
  expect(Math.hypot((revived?.[0] ?? 0) - 3, (revived?.[1] ?? 0) - 4)).toBeCloseTo(0.05, 5)
})
