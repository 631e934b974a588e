// Diagnostics of a step: right against double precision by hand, without influence on the step, without leaks.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { defaultConfig, type RunConfig } from '#shared/config/schema'
import { angleBins, countInBins, lengthBins, ratioBins, totalOf } from '#shared/histogram'
import { diagnosticsOf } from '#main/model/diagnostics'
import { quantize, type Quantized } from '#main/model/quantize/quantizer'
import {
  createModel,
  createOptimizer,
  createRandom,
  createTrainStep,
  diagnosticsDue,
  disposeOutput,
  GradientProbe,
  type Diagnostics,
} from '#main/model/index'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

type Rows = number[][]
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0)
const length = (a: readonly number[]): number => Math.sqrt(dot(a, a))
const unit = (a: readonly number[]): number[] => a.map((x) => x / length(a))
const add = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x + (b[i] ?? 0))

function randomRows(count: number, dim: number, seed: number, scale = 1): Rows {
  const random = createRandom(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: dim }, () => Math.fround((2 * random.uniform() - 1) * scale)),
  )
}

const probedQuantize = (
  e: tf.Tensor2D,
  codebook: tf.Tensor2D,
  config: RunConfig,
  probe: GradientProbe,
): Quantized => quantize(e, codebook, config, { probe })

/** Runs the quantizer alone, with `g` as the gradient at its output. */
function probed(
  e: Rows,
  codebook: Rows,
  g: Rows,
  config: Partial<RunConfig>,
): { figures: Diagnostics; q: Rows } {
  const probe = new GradientProbe()
  const q = tf.tidy(() => {
    const given = { ...defaultConfig, ...config }
    const outputs: Rows[] = []
    const run = (x: tf.Tensor): tf.Tensor => {
      const { output, commitment } = probedQuantize(x as tf.Tensor2D, tf.tensor2d(codebook), given, probe)
      outputs.push(output.arraySync())
      // The commitment's gradient reaches e as well, and must not be heard.
      return tf.add(tf.sum(tf.mul(output, tf.tensor2d(g))), tf.mul(commitment, 1e3))
    }
    tf.grad(run)(tf.tensor2d(e))
    return outputs[0] ?? []
  })
  const figures = probe.take()
  if (!figures) throw new Error('Nothing was heard.')
  return { figures, q }
}

describe('against double precision', () => {
  const e = randomRows(200, 6, 1)
  const codebook = randomRows(5, 6, 2, 2)
  const g = randomRows(200, 6, 3, 1e-24)

  test('histograms of λ, angle and lengths; the obtuse share', () => {
    const { figures, q } = probed(e, codebook, g, { estimator: 'rotation' })
    const at = (i: number): number[] => q[i] ?? []
    const angles = e.map((row, i) => (Math.acos(dot(unit(row), unit(at(i)))) * 180) / Math.PI)
    expect(figures.vectors).toBe(200)
    expect(figures.angle).toEqual(countInBins(angles, angleBins))
    expect(figures.lambda).toEqual(
      countInBins(
        e.map((row, i) => length(at(i)) / length(row)),
        ratioBins,
      ),
    )
    expect(figures.encoderLength).toEqual(countInBins(e.map(length), lengthBins))
    expect(figures.codeLength).toEqual(countInBins(q.map(length), lengthBins))
    const obtuse = angles.filter((angle) => angle > 90).length / 200
    expect(obtuse).toBeGreaterThan(0)
    expect(figures.obtuse).toBeCloseTo(obtuse, 12)
  })

  test('straight-through hands on g itself: the cosine is 1', () => {
    expect(probed(e, codebook, g, { estimator: 'ste' }).figures.gradientCosine).toBeCloseTo(1, 6)
  })

  test('rotation: cos∠(∇e, g) = ĝᵀRĝ = 1 − 2(rᵀĝ)² + 2(q̂ᵀĝ)(êᵀĝ)', () => {
    const { figures, q } = probed(e, codebook, g, { estimator: 'rotation' })
    const cosines = e.map((row, i) => {
      const [eHat, qHat, gHat] = [unit(row), unit(q[i] ?? []), unit(g[i] ?? [])]
      const r = unit(add(eHat, qHat))
      return 1 - 2 * dot(r, gHat) ** 2 + 2 * dot(qHat, gHat) * dot(eHat, gHat)
    })
    const mean = cosines.reduce((a, b) => a + b) / 200
    expect(mean).toBeLessThan(0.95)
    expect(figures.gradientCosine).toBeCloseTo(mean, 5)
  })

  test('with the cosine distance e is looked at where codes are sought: λ is 1', () => {
    const { figures } = probed(e, codebook.map(unit), g, { estimator: 'rotation', distance: 'cosine' })
    expect(totalOf(figures.lambda.slice(31, 33))).toBe(200)
    expect(totalOf(figures.encoderLength.slice(47, 49))).toBe(200)
  })
})

describe('vectors without a direction', () => {
  test('are in no histogram that needs one', () => {
    const e = [
      [0, 0],
      [3, 4],
      [1e-30, 0],
    ]
    const g = [
      [1, 1],
      [0, 0],
      [1, 0],
    ]
    const { figures } = probed(e, [[0.6, 0.8]], g, { estimator: 'rotation' })
    // The third is too short to be squared in float32: it counts as zero.
    expect([figures.lambda, figures.angle].map(totalOf)).toEqual([1, 1])
    expect([figures.encoderLength, figures.codeLength].map(totalOf)).toEqual([3, 3])
    expect(figures.obtuse).toBe(0)
    expect(figures.gradientCosine).toBeCloseTo(1, 6)
  })

  test('nothing with a direction: null, which JSON can hold; no number at all: nothing is counted', () => {
    const zero = new Float32Array(2)
    const none = diagnosticsOf({ ee: zero, qq: zero, eq: zero, hh: zero, gg: zero, hg: zero })
    expect([none.obtuse, none.gradientCosine]).toEqual([null, null])
    const nan = new Float32Array([Number.NaN])
    const lost = diagnosticsOf({ ee: nan, qq: nan, eq: nan, hh: nan, gg: nan, hg: nan })
    expect([lost.lambda, lost.angle, lost.encoderLength, lost.codeLength].map(totalOf)).toEqual([0, 0, 0, 0])
    expect(JSON.parse(JSON.stringify(lost))).toEqual(lost)
  })

  test('a probe that heard nothing has nothing to say', () => {
    expect(new GradientProbe().take()).toBeNull()
  })
})

const tiny: RunConfig = {
  ...defaultConfig,
  imageSize: 16,
  batchSize: 4,
  codebookSize: 16,
  codeDim: 4,
  channels: 16,
  channelMultipliers: [1, 2],
  residualBlocks: 1,
  learningRate: 2e-3,
}

const variants: [string, Partial<RunConfig>][] = [
  ['rotation, EMA', {}],
  ['straight-through, revival', { estimator: 'ste', deadCodeThreshold: 0.5 }],
  ['gradient codebook, cosine', { codebookUpdate: 'gradient', distance: 'cosine' }],
  ['residual, rotation', { quantizer: 'residual', quantizerDepth: 3 }],
  ['residual, gradient codebook', { quantizer: 'residual', codebookUpdate: 'gradient' }],
  ['grouped', { quantizer: 'grouped', groups: 2, deadCodeThreshold: 0.5 }],
  ['adaptive scale', { estimator: 'rotation_adaptive' }],
  ['noise', { estimator: 'diveq', codebookUpdate: 'gradient' }],
  ['Gumbel', { estimator: 'gumbel', codebookUpdate: 'gradient' }],
  ['asking the decoder', { estimator: 'hessian' }],
  ['IBQ', { quantizer: 'ibq', codebookUpdate: 'gradient', estimator: 'ste' }],
  ['SimVQ', { quantizer: 'simvq', codebookUpdate: 'gradient' }],
  ['scalar levels', { quantizer: 'fsq', codeDim: 4, estimator: 'ste' }],
  ['a projection', { latentDim: 6 }],
]

describe.each(variants)('a step with %s', (_, change) => {
  function weightsAfter(
    steps: number,
    look: boolean,
  ): { weights: number[][]; heard: Diagnostics[]; left: number } {
    const before = tf.memory().numTensors
    const config = { ...tiny, ...change }
    const model = createModel(config, 1)
    const optimizer = createOptimizer(config, model)
    const step = createTrainStep(model, optimizer, config)
    const random = createRandom(5)
    const x = tf.randomUniform<tf.Rank.R4>([4, 16, 16, 3], -1, 1, 'float32', 7)
    const heard: Diagnostics[] = []
    for (let t = 1; t <= steps; t++) {
      const probe = look ? new GradientProbe() : undefined
      disposeOutput(step(x, config.learningRate, t, random, probe))
      const figures = probe?.take()
      if (figures) heard.push(figures)
    }
    const weights = [...model.trainable.values(), ...model.state.values()].map((one) => [...one.dataSync()])
    x.dispose()
    optimizer.dispose()
    model.dispose()
    return { weights, heard, left: tf.memory().numTensors - before }
  }

  test('ends bit for bit the same whether it is looked at or not, and leaves no tensors', () => {
    const [alone, looked] = [weightsAfter(5, false), weightsAfter(5, true)]
    expect(looked.weights).toEqual(alone.weights)
    expect([alone.left, looked.left]).toEqual([0, 0])
    expect(looked.heard).toHaveLength(5)
    expect(looked.heard.every(({ lambda, vectors }) => totalOf(lambda) === vectors)).toBe(true)
  })
})

test('diagnostics are due at fixed steps: dense at the start, then with every tenth record', () => {
  const due = (interval: number, until: number): number[] =>
    Array.from({ length: until }, (_, i) => i + 1).filter((step) => diagnosticsDue(step, interval))
  expect(due(2, 65)).toEqual([1, 2, 4, 8, 16, 20, 40, 60])
  expect(due(100, 700)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 200, 400, 600])
})
