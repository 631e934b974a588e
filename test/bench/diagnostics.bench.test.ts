// What looking at the estimator costs: the same step with and without a probe, in turn, on one model. Measures and
// reports; asserts nothing about time.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseConfig, presets, type ConfigInput } from '#shared/config/index'
import { loadEngine, type Engine } from '#main/engine/index'
import {
  createModel,
  createOptimizer,
  createRandom,
  createTrainStep,
  diagnosticsDue,
  disposeOutput,
  GradientProbe,
} from '#main/model/index'
import { recordInterval } from '#main/train/records'
import { median } from '#shared/median'
import { report } from './report'

const pairs = Number(process.env.GYRE_BENCH_ROUNDS ?? 40)
const quick = presets.find(({ id }) => id === 'quick-look')?.config ?? {}

let engine: Engine
beforeAll(async () => {
  engine = await loadEngine('auto')
})
afterAll(() => engine.close())

const cases: [string, ConfigInput][] = [
  ['quick-look', quick],
  ['quick-look-32px', { ...quick, imageSize: 32 }],
  ['tiny', { ...quick, imageSize: 16, channels: 32, codebookSize: 64, batchSize: 8 }],
  ['wide-codes', { ...quick, codeDim: 256, codebookSize: 512 }],
]

it.each(cases)('%s', async (name, input) => {
  const config = parseConfig(input)
  const model = createModel(config, 0)
  const optimizer = createOptimizer(config, model)
  const step = createTrainStep(model, optimizer, config)
  const random = createRandom(0)
  const { batchSize, imageSize, channelsIn } = config
  const x = tf.randomUniform<tf.Rank.R4>([batchSize, imageSize, imageSize, channelsIn], -1, 1, 'float32', 3)
  const [bare, looked, taken]: [number[], number[], number[]] = [[], [], []]
  let t = 0
  const timed = (probe: GradientProbe | undefined): number => {
    const startedAt = performance.now()
    const output = step(x, config.learningRate, ++t, random, probe)
    output.indices.dataSync()
    const steppedAt = performance.now()
    const figures = probe?.take()
    const endedAt = performance.now()
    if (probe) {
      expect(figures?.vectors).toBe(batchSize * model.tokens[0] * model.tokens[1])
      taken.push(endedAt - steppedAt)
    }
    disposeOutput(output)
    return endedAt - startedAt
  }
  for (let i = 0; i < 5; i++) timed(undefined)
  for (let i = 0; i < pairs; i++) {
    // Which goes first changes, so that neither gains from its place.
    const withFirst = i % 2 === 1
    const first = timed(withFirst ? new GradientProbe() : undefined)
    const second = timed(withFirst ? undefined : new GradientProbe())
    bare.push(withFirst ? second : first)
    looked.push(withFirst ? first : second)
  }
  // How many of 10,000 steps are looked at.
  const interval = recordInterval(config)
  const looks = Array.from({ length: 10_000 }, (_, i) => diagnosticsDue(i + 1, interval)).filter(
    Boolean,
  ).length
  const extraMs = median(looked.map((ms, i) => ms - (bare[i] ?? 0)))
  await report(`diagnostics-${name}`, {
    engine: engine.id,
    pairs,
    stepMs: median(bare),
    extraMs,
    takeMs: median(taken),
    looksPer10000Steps: looks,
    shareOfTraining: ((extraMs / median(bare)) * looks) / 10_000,
  })
  x.dispose()
  optimizer.dispose()
  model.dispose()
})
