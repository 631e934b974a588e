// The same ten steps from one seed on TensorFlow and on WASM: losses, norms and codes agree.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { listEngines, loadEngine, type EngineId } from '#main/engine/index'
import {
  createModel,
  createOptimizer,
  createRandom,
  createTrainStep,
  disposeOutput,
  learningRateAt,
} from '#main/model/index'
import { defaultConfig, type RunConfig } from '#shared/config/schema'

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

async function losses(engineId: EngineId, config: RunConfig): Promise<number[][]> {
  const engine = await loadEngine(engineId)
  expect(engine.id).toBe(engineId)
  const model = createModel(config, 1)
  const optimizer = createOptimizer(config, model)
  const step = createTrainStep(model, optimizer, config)
  const random = createRandom(2)
  const x = pictures(config)
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
if (missing) console.warn(`Skipped: two engines are needed. ${missing}`)

test.skipIf(missing !== null).each(configs)('%s', async (_, config) => {
  const native = await losses('tensorflow-cpu', config)
  const wasm = await losses('wasm', config)
  expect(native).toHaveLength(steps)
  native.flat().forEach((value, i) => {
    const other = wasm.flat()[i] ?? NaN
    expect(Math.abs(other - value)).toBeLessThan(1e-3 * Math.max(1, Math.abs(value)))
  })
  // The steps are not idle: the picture is being learnt.
  expect(native.at(-1)?.[1]).toBeLessThan(native[0]?.[1] ?? 0)
})
