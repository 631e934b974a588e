// A whole step: it learns, it leaks nothing, it changes nothing where it is not finite, and it repeats exactly.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { defaultConfig, type RunConfig } from '#shared/config/schema'
import {
  createModel,
  createOptimizer,
  createRandom,
  createTrainStep,
  disposeOutput,
  type VqModel,
} from '#main/model/index'
import { startFrom, startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
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

function batch(config: RunConfig, seed: number): tf.Tensor4D {
  const random = createRandom(seed)
  const { batchSize, imageSize, channelsIn } = config
  // Flat colours with a corner: something that a small model can learn.
  const pixels = new Float32Array(batchSize * imageSize * imageSize * channelsIn)
  for (let i = 0; i < batchSize; i++) {
    const colour = 2 * random.uniform() - 1
    const size = imageSize * imageSize * channelsIn
    pixels.fill(colour, i * size, (i + 1) * size)
    pixels.fill(-colour, i * size, i * size + size / 4)
  }
  return tf.tensor4d(pixels, [batchSize, imageSize, imageSize, channelsIn])
}

function values(model: VqModel, more: ReadonlyMap<string, tf.Variable> = new Map()): Map<string, number[]> {
  return new Map(
    [...model.trainable, ...model.state, ...more].map(([name, t]) => [name, [...t.dataSync()]] as const),
  )
}

async function train(
  config: RunConfig,
  steps: number,
  seed = 1,
): Promise<{ losses: number[]; model: VqModel; growth: number[] }> {
  const model = createModel(config, seed)
  const optimizer = createOptimizer(config, model)
  const step = createTrainStep(model, optimizer, config)
  const random = createRandom(seed)
  const x = batch(config, 3)
  await startFrom(model, x, random)
  const losses: number[] = []
  const growth: number[] = []
  for (let t = 1; t <= steps; t++) {
    const before = tf.memory().numTensors
    const output = step(x, config.learningRate, t, random)
    expect(output.finite.dataSync()[0]).toBe(1)
    losses.push(output.loss.dataSync()[0] ?? NaN)
    disposeOutput(output)
    growth.push(tf.memory().numTensors - before)
  }
  x.dispose()
  optimizer.dispose()
  return { losses, model, growth }
}

const trained = { codebookUpdate: 'gradient' } as const
const variants: [string, Partial<RunConfig>][] = [
  ['quick, rotation, EMA', {}],
  ['quick, ste, EMA', { estimator: 'ste' }],
  ['quick, cosine', { distance: 'cosine' }],
  ['quick, cosine, gradient', { distance: 'cosine', codebookUpdate: 'gradient' }],
  ['quick, gradient codebook with revival', { codebookUpdate: 'gradient', deadCodeThreshold: 1 }],
  ['quick, k-means and revival', { codebookInit: 'kmeans', deadCodeThreshold: 1 }],
  ['quick, data start, grey', { codebookInit: 'data', channelsIn: 1, optimizer: 'adam', gradientClip: 0 }],
  ['cnn, cosine, attention', { network: 'cnn', attention: [16], distance: 'cosine' }],
  ['cnn, Euclidean', { network: 'cnn' }],
  ['residual, rotation', { quantizer: 'residual', quantizerDepth: 3 }],
  [
    'residual, gradient, revival',
    { quantizer: 'residual', codebookUpdate: 'gradient', deadCodeThreshold: 1 },
  ],
  ['residual, k-means', { quantizer: 'residual', codebookInit: 'kmeans' }],
  ['grouped, cosine, data', { quantizer: 'grouped', distance: 'cosine', codebookInit: 'data' }],
  ['grouped, adaptive', { quantizer: 'grouped', estimator: 'rotation_adaptive' }],
  ['simvq', { quantizer: 'simvq', estimator: 'ste', codebookUpdate: 'gradient' }],
  ['ibq', { quantizer: 'ibq', codebookUpdate: 'gradient' }],
  ['optvq', { quantizer: 'optvq', estimator: 'ste' }],
  ['soft convex', { quantizer: 'soft_convex', codebookUpdate: 'gradient' }],
  ['fsq', { quantizer: 'fsq', fsqLevels: [4, 3, 3], codeDim: 3, codebookSize: 36 }],
  ['lfq, entropy', { quantizer: 'lfq', codeDim: 4, entropyWeight: 0.01 }],
  ['unscaled', { estimator: 'rotation_unscaled' }],
  ['inverse error', { estimator: 'rotation_inverse_error' }],
  ['adaptive', { estimator: 'rotation_adaptive' }],
  ['reflection', { estimator: 'reflection' }],
  ['nsvq, revival from use', { ...trained, estimator: 'nsvq', deadCodeThreshold: 1, reviveFrom: 'usage' }],
  ['diveq, revival', { ...trained, estimator: 'diveq', deadCodeThreshold: 1 }],
  ['sf_diveq', { ...trained, estimator: 'sf_diveq' }],
  ['gumbel', { ...trained, estimator: 'gumbel' }],
  ['hessian', { estimator: 'hessian' }],
  ['exact gradient', { estimator: 'exact_gradient' }],
  ['exact gradient, projected, cosine', { estimator: 'exact_gradient', latentDim: 6, distance: 'cosine' }],
  ['projection', { latentDim: 8 }],
  ['regularised', { codebookUpdate: 'gradient', orthogonalWeight: 0.1, entropyWeight: 0.01 }],
]

describe.each(variants)('%s', (_, change) => {
  const config = { ...tiny, ...change }

  test('learns, finite, without leaking a tensor', async () => {
    const before = tf.memory().numTensors
    const { losses, model, growth } = await train(config, 25)
    expect(growth.every((n) => n === 0)).toBe(true)
    const mean = (part: number[]): number => part.reduce((a, b) => a + b, 0) / part.length
    expect(mean(losses.slice(-5))).toBeLessThan(0.9 * mean(losses.slice(0, 5)))
    model.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('repeats exactly from one seed', async () => {
    const [first, second] = [await train(config, 4), await train(config, 4)]
    expect(first.losses).toEqual(second.losses)
    expect(values(first.model)).toEqual(values(second.model))
  })
})

describe('a step that is not finite', () => {
  test.each([
    ['ema', 'euclidean'],
    ['gradient', 'cosine'],
  ] as const)('changes no variable (%s, %s)', (codebookUpdate, distance) => {
    const config: RunConfig = { ...tiny, codebookUpdate, distance, deadCodeThreshold: 1 }
    const model = createModel(config, 5)
    const optimizer = createOptimizer(config, model)
    const step = createTrainStep(model, optimizer, config)
    const random = createRandom(5)
    disposeOutput(step(batch(config, 1), 1e-3, 1, random))
    const before = values(model, optimizer.state)
    const broken = tf.tidy(() => tf.mul<tf.Tensor4D>(batch(config, 1), NaN))
    const tensors = tf.memory().numTensors
    const output = step(broken, 1e-3, 2, random)
    expect(output.finite.dataSync()[0]).toBe(0)
    disposeOutput(output)
    expect(tf.memory().numTensors).toBe(tensors)
    expect(values(model, optimizer.state)).toEqual(before)
  })
})

test('what a step reports is what the model then says', () => {
  const config: RunConfig = { ...tiny, commitmentWeight: 0.5 }
  const model = createModel(config, 2)
  const optimizer = createOptimizer(config, model)
  const x = batch(config, 2)
  // Asked before the step, because the step moves the codebook.
  const { indices, error, codes } = model.nearest(model.encode(x))
  const mse = tf.losses.meanSquaredError(x, model.decode(codes)).dataSync()[0] ?? NaN
  const output = createTrainStep(model, optimizer, config)(x, 1e-3, 1, createRandom(0))
  const value = (t: tf.Tensor): number => t.dataSync()[0] ?? NaN
  expect(output.indices.shape).toEqual([4, 4, 4])
  expect([...output.indices.dataSync()]).toEqual([...indices.dataSync()])
  expect(value(output.mse)).toBeCloseTo(mse, 5)
  expect(value(output.quantizationError)).toBeCloseTo(value(tf.mean(error)), 5)
  expect(value(output.commitmentLoss)).toBeCloseTo((0.5 * value(tf.mean(error))) / config.codeDim, 5)
  expect(value(output.loss)).toBeCloseTo(value(output.mse) + value(output.commitmentLoss), 5)
})
