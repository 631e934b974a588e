// Compiled training steps against eager ones: bit for bit as recorded, within rounding with fused operations, for every
// estimator, quantizer and network. The eager step is the reference, and is itself held against PyTorch elsewhere.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunConfig } from '#shared/config/index'
import { bfloat16Refusal, loadEngine, type Engine, type NativeGraph } from '#main/engine/index'
import { createModel, createOptimizer, createRandom, learningRateAt } from '#main/model/index'
import { openSteps, type Execution } from '#main/train/open-steps'
import type { StepResult } from '#main/train/steps'
import { snapshot } from '#main/train/tensors'
import { compiledCases, compiledConfig } from '../../support/compiled-cases'

/** The cases that differ in the estimator alone, and the other network. */
const estimators = Object.entries(compiledCases).filter(
  ([name, { estimator }]) => name === estimator || name === 'cnn',
)

let engine: Engine
beforeAll(async () => {
  engine = await loadEngine('tensorflow-cpu')
})
afterAll(() => engine.close())

/** Smooth random images, another batch for every number. */
function batchOf(config: RunConfig, step: number): Float32Array {
  const random = createRandom(1000 + step)
  const { batchSize, imageSize: size, channelsIn } = config
  const waves = Array.from({ length: batchSize * channelsIn }, () => [
    random.uniform() * 3,
    random.uniform() * 3,
    random.uniform() * 6,
  ])
  return Float32Array.from({ length: batchSize * size * size * channelsIn }, (_, at) => {
    const [channel, column] = [at % channelsIn, Math.floor(at / channelsIn) % size]
    const [row, image] = [
      Math.floor(at / (channelsIn * size)) % size,
      Math.floor(at / (channelsIn * size * size)),
    ]
    const [a = 0, b = 0, c = 0] = waves[image * channelsIn + channel] ?? []
    return Math.sin((a * column) / 3 + (b * row) / 3 + c)
  })
}

interface Trained {
  results: StepResult[]
  weights: Map<string, Float32Array>
}

/** @param batches How many there are, one after the other; by default as many as steps. */
async function train(
  config: RunConfig,
  execution: Execution,
  steps: number,
  batches = Infinity,
): Promise<Trained> {
  const model = createModel(config, config.seed)
  const optimizer = createOptimizer(config, model)
  const opened = openSteps(model, optimizer, { engine, execution })
  expect(opened.notCompiled).toBeNull()
  const random = createRandom(11)
  const results: StepResult[] = []
  for (let t = 1; t <= steps; t++) {
    const learningRate = learningRateAt(config, t)
    const diagnose = t % 3 === 0
    const values = batchOf(config, batches < t ? t % batches : t)
    results.push(await opened.take({ values, learningRate, t, random, diagnose }))
  }
  opened.sync()
  const all = snapshot([...model.trainable, ...model.state, ...optimizer.state])
  const weights = new Map(all.map(({ name, data }) => [name, data as Float32Array]))
  opened.close()
  optimizer.dispose()
  model.dispose()
  return { results, weights }
}

describe('as recorded, steps are the eager ones bit for bit', () => {
  it.each(Object.entries(compiledCases))('%s', async (_, input) => {
    const config = compiledConfig(input)
    const before = tf.memory().numTensors
    const [eager, compiled] = [await train(config, 'eager', 8), await train(config, 'exact', 8)]
    expect(compiled.results).toEqual(eager.results)
    expect(compiled.weights).toEqual(eager.weights)
    expect(tf.memory().numTensors).toBe(before)
  })

  it.each(estimators)('200 steps of %s', async (_, input) => {
    const config = compiledConfig(input)
    const [eager, compiled] = [await train(config, 'eager', 200), await train(config, 'exact', 200)]
    expect(compiled.results).toEqual(eager.results)
    expect(compiled.weights).toEqual(eager.weights)
  })
})

describe('with fused operations, losses agree to 1e-5', () => {
  it.each(Object.entries(compiledCases))('%s', async (_, input) => {
    const config = compiledConfig(input)
    const [eager, compiled] = [await train(config, 'eager', 20), await train(config, 'compiled', 20)]
    const losses = ({ results }: Trained): number[] => results.map(({ figures }) => figures.loss)
    const [ours, theirs] = [losses(compiled), losses(eager)]
    const worst = Math.max(...ours.map((loss, i) => Math.abs(loss / (theirs[i] ?? Number.NaN) - 1)))
    expect(worst).toBeLessThanOrEqual(1e-5)
    // A step that only looked right, because nothing was learned, would pass the line above.
    expect(ours.at(-1)).not.toBe(ours[0])
  })
})

const norm = (values: Iterable<number>): number => {
  let sum = 0
  for (const value of values) sum += value ** 2
  return Math.sqrt(sum)
}

/** Adam's first moments: after one step, the gradients of all weights. */
const gradientsOf = ({ weights }: Trained): [string, Float32Array][] =>
  [...weights].filter(([name]) => name.startsWith('m.'))

// What losses cannot tell, because all estimators begin alike: this differs by 3e-3 between the rotation trick and STE.
describe('with fused operations, the gradient of every weight is the eager one', () => {
  it.each(Object.entries(compiledCases))('%s', async (_, input) => {
    const config = compiledConfig(input)
    const [eager, compiled] = [await train(config, 'eager', 1), await train(config, 'compiled', 1)]
    const theirs = new Map(gradientsOf(eager))
    const whole = norm([...theirs.values()].map(norm))
    expect(whole).toBeGreaterThan(0)
    expect(theirs.size).toBeGreaterThan(5)
    for (const [name, ours] of gradientsOf(compiled)) {
      const exact = theirs.get(name) ?? new Float32Array()
      const error = norm(ours.map((value, i) => value - (exact[i] ?? Number.NaN)))
      // A bias in front of a norm has no gradient but rounding.
      expect(error, name).toBeLessThanOrEqual(1e-5 * norm(exact) + 1e-7 * whole)
    }
  })
})

describe('with fused operations, what is learned lies within the spread of three seeds', () => {
  const steps = 120
  const mean = (results: readonly StepResult[]): number =>
    results.reduce((sum, { figures }) => sum + figures.mse, 0) / results.length
  it.each([
    ['ste', { estimator: 'ste', channels: 32 }],
    ['rotation', { estimator: 'rotation', channels: 32 }],
    ['cnn', compiledCases.cnn ?? {}],
  ] as const)('%s', async (_, input) => {
    const learned = async (seed: number, execution: Execution): Promise<number> => {
      const { results } = await train(compiledConfig({ ...input, seed }), execution, steps, 2)
      // Two batches again and again can be learned.
      expect(mean(results.slice(-20))).toBeLessThan(0.7 * mean(results.slice(0, 5)))
      return mean(results.slice(-20))
    }
    const eager = [await learned(3, 'eager'), await learned(4, 'eager'), await learned(5, 'eager')]
    const spread = Math.max(...eager) - Math.min(...eager)
    expect(Math.abs((await learned(3, 'compiled')) - (eager[0] ?? NaN))).toBeLessThanOrEqual(spread)
  })
})

it('a step that is not finite changes nothing, and the next ones go on', async () => {
  const config = compiledConfig({ estimator: 'rotation' })
  const model = createModel(config, config.seed)
  const optimizer = createOptimizer(config, model)
  const steps = openSteps(model, optimizer, { engine })
  const random = createRandom(1)
  const variables = [...model.trainable, ...model.state, ...optimizer.state]
  const take = (values: Float32Array, t: number): Promise<StepResult> =>
    steps.take({ values, learningRate: 1e-3, t, random, diagnose: false })
  expect((await take(batchOf(config, 1), 1)).finite).toBe(true)
  steps.sync()
  const good = snapshot(variables)
  const broken = batchOf(config, 2)
  broken[5] = Number.NaN
  expect((await take(broken, 2)).finite).toBe(false)
  steps.sync()
  expect(snapshot(variables)).toEqual(good)
  expect((await take(batchOf(config, 2), 2)).finite).toBe(true)
  steps.sync()
  expect(snapshot(variables)).not.toEqual(good)
  steps.close()
  optimizer.dispose()
  model.dispose()
})

describe('in bfloat16', () => {
  const refusal = bfloat16Refusal('tensorflow-cpu')
  if (refusal !== null) console.log(`skipped: ${refusal}`)

  it.skipIf(refusal !== null)(
    'a run learns as in float32, and starts within the format’s precision',
    async () => {
      for (const input of [compiledCases.rotation ?? {}, compiledCases.cnn ?? {}]) {
        const config = compiledConfig(input)
        const low = compiledConfig({ ...input, precision: 'bfloat16' })
        const [exact, mixed] = [await train(config, 'compiled', 60), await train(low, 'compiled', 60)]
        const loss = ({ results }: Trained, at: number): number => results.at(at)?.figures.loss ?? Number.NaN
        // 8 bits of significance, a handful of layers.
        expect(Math.abs(loss(mixed, 0) / loss(exact, 0) - 1)).toBeLessThan(0.02)
        expect(loss(mixed, 0)).not.toBe(loss(exact, 0))
        const fallen = (trained: Trained): number => loss(trained, 0) - loss(trained, -1)
        expect(fallen(mixed)).toBeGreaterThan(0.8 * fallen(exact))
      }
    },
  )

  it('is refused in a sentence where the engine has none', () => {
    const config = compiledConfig({ precision: 'bfloat16' })
    const model = createModel(config, 1)
    const optimizer = createOptimizer(config, model)
    expect(() => openSteps(model, optimizer, { engine: { id: 'wasm' } })).toThrow('float32 only')
    optimizer.dispose()
    model.dispose()
  })
})

it('what cannot be compiled is trained on operation by operation, with the reason', async () => {
  const config = compiledConfig({ estimator: 'rotation' })
  const { graphs } = engine
  if (!graphs) throw new Error('TensorFlow runs graphs.')
  let programs = 0
  const extend: NativeGraph['extend'] = (session, graph) => {
    // The third is the step; the first two write and read the variables.
    if (++programs > 2) throw new Error('Op type not registered: Strange')
    graphs.extend(session, graph)
  }
  const model = createModel(config, config.seed)
  const optimizer = createOptimizer(config, model)
  const steps = openSteps(model, optimizer, { engine: { id: engine.id, graphs: { ...graphs, extend } } })
  expect(steps.notCompiled).toMatch(/one operation at a time.*Op type not registered: Strange/)
  const random = createRandom(11)
  const learningRate = learningRateAt(config, 1)
  const taken = await steps.take({ values: batchOf(config, 1), learningRate, t: 1, random, diagnose: false })
  const [eager] = (await train(config, 'eager', 1)).results
  expect(taken).toEqual(eager)
  steps.close()
  optimizer.dispose()
  model.dispose()
})
