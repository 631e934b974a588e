// Timed steps are the very steps of a run; they go on from call to call, and free everything at the end.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { context, createWorld, recordsOf, startTrainer, tinyConfig, type World } from './world'

let world: World
let packed: string
beforeAll(async () => {
  world = await createWorld(24)
  packed = await world.pack()
})
afterAll(() => world.close())

const config = { ...tinyConfig, steps: 5, evaluateEvery: 5, checkpointEvery: 5 }

test('the losses are those of a run', async () => {
  const runFolder = await world.run('run', config)
  const { call } = await startTrainer('tensorflow-cpu')
  await call.train({ runFolder, packed }, context)
  const record = (await recordsOf(runFolder)).find((one) => one.kind === 'train')
  const losses: number[] = []
  for (let step = 1; step <= 5; step++) {
    const { stepMs, waitMs, loss, peakRssBytes } = await call.bench(
      { config, packed, kind: 'usual', steps: 1 },
      context,
    )
    losses.push(loss)
    expect([stepMs.length, waitMs.length]).toEqual([1, 1])
    expect(stepMs[0]).toBeGreaterThan(waitMs[0] ?? Infinity)
    expect(peakRssBytes).toBeGreaterThan(50e6)
  }
  expect(record).toMatchObject({ step: 5 })
  expect(losses.reduce((a, b) => a + b) / 5).toBeCloseTo(record?.loss ?? Number.NaN, 10)
  // Other work starts anew, and several steps in one call are as many as single ones.
  const eager = await call.bench({ config, packed, kind: 'eager', steps: 5 }, context)
  expect(eager.stepMs).toHaveLength(5)
  expect(eager.loss).toBeCloseTo(losses[4] ?? Number.NaN, 4)
  const again = await call.bench({ config, packed, kind: 'compiled', steps: 1 }, context)
  expect(again.loss).toBeCloseTo(losses[0] ?? Number.NaN, 4)
})

test('an engine without compiled steps says so, and nothing of them stays', async () => {
  const { call, trainer } = await startTrainer('wasm')
  const before = tf.memory().numTensors
  for (const kind of ['compiled', 'compiledBf16'] as const)
    await expect(call.bench({ config, packed, kind, steps: 1 }, context)).rejects.toMatchObject({
      code: 'unsupported',
    })
  expect(tf.memory().numTensors).toBe(before)
  const taken = await call.bench({ config, packed, kind: 'eager', steps: 2 }, context)
  expect(taken.stepMs).toHaveLength(2)
  expect(tf.memory().numTensors).toBeGreaterThan(before)
  await trainer.close()
  expect(tf.memory().numTensors).toBe(before)
})
