// The same trainer on WASM: trains, and resumes exactly there too.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { context, createWorld, startTrainer, timelessRecords, weightsOf, type World } from './world'

let world: World
beforeAll(async () => (world = await createWorld(12)))
afterAll(() => world.close())

test('a stopped and resumed run equals a straight one on WASM', async () => {
  const packed = await world.pack()
  const change = { steps: 8, evaluateEvery: 4 }
  const [straight, parts] = [await world.run('straight', change), await world.run('parts', change)]
  const trainer = await startTrainer('wasm')
  await trainer.call.train({ runFolder: straight, packed }, context)
  const stopping = await startTrainer('wasm', {
    hooks: { onStep: (step) => (step === 5 ? void stopping.call.stop(undefined, context) : undefined) },
  })
  expect(await stopping.call.train({ runFolder: parts, packed }, context)).toMatchObject({
    status: 'stopped',
    step: 5,
  })
  expect(await trainer.call.train({ runFolder: parts, packed }, context)).toMatchObject({
    status: 'finished',
  })
  expect(await weightsOf(parts, 8)).toEqual(await weightsOf(straight, 8))
  expect(await timelessRecords(parts)).toEqual(await timelessRecords(straight))
})
