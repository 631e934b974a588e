// The same steps from one seed on TensorFlow, on WASM and on WebGPU (a graphics card in software), for every estimator
// and quantizer: losses and norms agree, and so does the search where two codes are equally near.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { listEngines, loadEngine, type EngineId } from '#main/engine/index'
import {
  createModel,
  createOptimizer,
  createRandom,
  createTrainStep,
  disposeOutput,
  learningRateAt,
} from '#main/model/index'
import { nearestCodes } from '#main/model/quantize/search'
import { defaultConfig, estimatorIds, type RunConfig } from '#shared/config/schema'
import { startFrom } from '../../support/model-engine'
import { installSoftwareGpu, noSoftwareGpu } from '../../support/software-gpu'

const base: RunConfig = {
  ...defaultConfig,
  imageSize: 32,
  batchSize: 4,
  channels: 32,
  channelMultipliers: [1, 2],
  codebookSize: 64,
  codeDim: 8,
  residualBlocks: 1,
  learningRate: 1e-3,
}

const configs: [string, RunConfig][] = [
  ['quick, rotation, EMA', base],
  ['quick, ste, gradient codebook', { ...base, estimator: 'ste', codebookUpdate: 'gradient' }],
  ['quick, cosine, revival', { ...base, distance: 'cosine', deadCodeThreshold: 0.5 }],
  ['cnn, rotation', { ...base, imageSize: 16, network: 'cnn', attention: [16], batchSize: 2 }],
]

const small: RunConfig = { ...base, imageSize: 16, batchSize: 2, codebookSize: 16, codeDim: 4 }
const trained = { codebookUpdate: 'gradient' } as const
const others: [string, RunConfig][] = [
  ...estimatorIds.map((estimator): [string, RunConfig] => {
    const own = ['nsvq', 'diveq', 'sf_diveq', 'gumbel'].includes(estimator)
    return [estimator, { ...small, estimator, ...(own && { ...trained, deadCodeThreshold: 0.5 }) }]
  }),
  ['residual', { ...small, quantizer: 'residual', codebookInit: 'kmeans' }],
  ['grouped', { ...small, quantizer: 'grouped', reviveFrom: 'usage', deadCodeThreshold: 0.5 }],
  ['simvq', { ...small, quantizer: 'simvq', estimator: 'ste', ...trained }],
  ['ibq', { ...small, quantizer: 'ibq', ...trained }],
  ['optvq', { ...small, quantizer: 'optvq', estimator: 'ste' }],
  ['soft_convex', { ...small, quantizer: 'soft_convex', ...trained }],
  ['fsq', { ...small, quantizer: 'fsq', fsqLevels: [4, 4], codeDim: 2 }],
  ['lfq', { ...small, quantizer: 'lfq' }],
  [
    'projection, regularised',
    { ...small, ...trained, latentDim: 6, orthogonalWeight: 1, entropyWeight: 0.1 },
  ],
]

const steps = 10

/** Smooth pictures: sums of a few waves, the same on every engine. */
function pictures({ batchSize, imageSize }: RunConfig): tf.Tensor4D {
  const random = createRandom(21)
  const waves = Array.from({ length: 3 * batchSize }, () => [6 * random.uniform(), 6 * random.uniform()])
  const pixels: number[] = []
  for (let n = 0; n < batchSize; n++)
    for (let y = 0; y < imageSize; y++)
      for (let x = 0; x < imageSize; x++)
        for (let c = 0; c < 3; c++) {
          const [a = 0, b = 0] = waves[3 * n + c] ?? []
          pixels.push(Math.sin((a * x + b * y) / imageSize + c))
        }
  return tf.tensor4d(pixels, [batchSize, imageSize, imageSize, 3])
}

async function losses(engineId: EngineId, config: RunConfig, steps: number): Promise<number[][]> {
  const engine = await loadEngine(engineId, { softwareGpu: true })
  expect(engine.id).toBe(engineId)
  const model = createModel(config, 1)
  const optimizer = createOptimizer(config, model)
  const step = createTrainStep(model, optimizer, config)
  const random = createRandom(2)
  const x = pictures(config)
  await startFrom(model, x, random)
  const found: number[][] = []
  for (let t = 1; t <= steps; t++) {
    const output = step(x, learningRateAt(config, t), t, random)
    const { loss, mse, gradientNorm } = output
    found.push([loss, mse, gradientNorm].map((value) => value.dataSync()[0] ?? NaN))
    disposeOutput(output)
  }
  x.dispose()
  optimizer.dispose()
  model.dispose()
  engine.close()
  return found
}

const tensorFlow = (await listEngines()).find(({ id }) => id === 'tensorflow-cpu')

const missing = tensorFlow?.available ? null : (tensorFlow?.reason ?? 'There is no TensorFlow engine.')
beforeAll(() => {
  if (noSoftwareGpu === null) installSoftwareGpu()
})
beforeEach(({ skip }) => skip(missing !== null, `Two engines are needed. ${missing}`))

function expectAgreement(found: number[][], expected: number[][]): void {
  expect(found).toHaveLength(expected.length)
  expected.flat().forEach((value, i) => {
    const other = found.flat()[i] ?? NaN
    expect(Math.abs(other - value)).toBeLessThan(1e-3 * Math.max(1, Math.abs(value)))
  })
}

test.each(configs)('%s', async (_, config) => {
  const native = await losses('tensorflow-cpu', config, steps)
  expect(native).toHaveLength(steps)
  expectAgreement(await losses('wasm', config, steps), native)
  // The steps are not idle: the picture is being learnt.
  expect(native.at(-1)?.[1]).toBeLessThan(native[0]?.[1] ?? 0)
})

test.each(others)('%s, three steps', async (_, config) => {
  const native = await losses('tensorflow-cpu', config, 3)
  expectAgreement(await losses('wasm', config, 3), native)
})

describe('on WebGPU', () => {
  beforeEach(({ skip }) => skip(noSoftwareGpu !== null, noSoftwareGpu ?? ''))

  // Smaller than above: a graphics card in software is slow.
  test.each<[string, RunConfig]>([
    ['quick, rotation, EMA', small],
    ['quick, ste, gradient codebook', { ...small, estimator: 'ste', ...trained }],
    ['cnn, rotation', { ...small, network: 'cnn', channels: 8, attention: [8] }],
  ])('%s', async (_, config) => {
    const native = await losses('tensorflow-cpu', config, steps)
    expectAgreement(await losses('webgpu', config, steps), native)
    expect(native.at(-1)?.[1]).toBeLessThan(native[0]?.[1] ?? 0)
  })

  test.each(others)('%s, three steps', async (_, config) => {
    const native = await losses('tensorflow-cpu', config, 3)
    expectAgreement(await losses('webgpu', config, 3), native)
  })
})

test.for(['tensorflow-cpu', 'wasm', 'webgpu'] as const)(
  'equally near codes: the lowest index, in every chunk (%s)',
  async (engineId, { skip }) => {
    skip(engineId === 'webgpu' && noSoftwareGpu !== null, noSoftwareGpu ?? '')
    const engine = await loadEngine(engineId, { softwareGpu: true })
    const found = tf.tidy(() => {
      // Each code three times; and vectors halfway between two codes.
      const codes = tf.tensor2d([
        [9, 9],
        [1, 0],
        [-1, 0],
        [1, 0],
        [0, 5],
        [-1, 0],
        [1, 0],
      ])
      const vectors = tf.tensor2d([
        [1, 0],
        [-1, 0],
        [0, 0],
        [2, 0],
        [0, 5],
        [0, 0],
      ])
      return [undefined, 1, 2, 4].map((rows) => [...nearestCodes(vectors, codes, rows).dataSync()])
    })
    engine.close()
    for (const indices of found) expect(indices).toEqual([1, 2, 1, 1, 4, 1])
  },
)
