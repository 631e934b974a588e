// The built trainer in a worker thread, over its port: messages reach the loop between steps, typed arrays cross, and
// looking at a checkpoint goes on while a run trains.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startThread, type TrainerClient } from './built-trainer'
import { createWorld, recordsOf, tinyConfig, weightsOf, type World } from './world'

let world: World
let packed: string
beforeAll(async () => {
  world = await createWorld()
  packed = await world.pack()
})
afterAll(() => world.close())

/** Resolves with the next status of that name. */
function status(trainer: TrainerClient, wanted: string): Promise<number> {
  return new Promise((found) => {
    const off = trainer.onStatus(({ status: name, step }) => {
      if (name !== wanted) return
      off()
      found(step)
    })
  })
}

test('load, train, pause, look, resume, stop, go on', async () => {
  const { trainer, worker } = startThread()
  try {
    const engine = await trainer.load({ engine: 'tensorflow-cpu' })
    expect(engine).toMatchObject({ id: 'tensorflow-cpu' })
    const config = { ...tinyConfig, steps: 100_000, evaluateEvery: 50_000, checkpointEvery: 50_000 }
    const runFolder = await world.run('run', config)
    const running = status(trainer, 'running')
    const training = trainer.train({ runFolder, packed })
    await running
    const paused = status(trainer, 'paused')
    await trainer.pause()
    const step = await paused
    const before = await trainer.memory()
    const { size, pixels } = await trainer.decodeCodes({ runFolder, checkpoint: 'last', indices: [0, 5] })
    expect(pixels).toHaveLength(2 * size * size * 3)
    await trainer.resume()
    // While it trains, a message is answered between two steps.
    await expect(trainer.train({ runFolder, packed })).rejects.toMatchObject({ code: 'busy' })
    const tiles = await trainer.decodeCodes({ runFolder, checkpoint: step, indices: [5] })
    expect(tiles.pixels).toEqual(pixels.subarray(size * size * 3))
    await trainer.stop()
    const outcome = await training
    expect(outcome).toMatchObject({ status: 'stopped', validation: null })
    expect(outcome.step).toBeGreaterThanOrEqual(step)
    expect(before.tensors).toBeGreaterThan(0)
    expect((await weightsOf(runFolder, outcome.step)).model).toHaveLength(64)
    const events = (await recordsOf(runFolder))
      .filter((one) => one.kind === 'event')
      .map(({ event }) => event)
    expect(events.filter((event) => event !== 'checkpoint')).toEqual([
      'started',
      'paused',
      'resumed',
      'stopped',
    ])
  } finally {
    await worker.terminate()
  }
})

test('a call before the engine is loaded is refused in a sentence', async () => {
  const { trainer, worker } = startThread()
  const runFolder = await world.run('early')
  await expect(trainer.train({ runFolder, packed })).rejects.toMatchObject({ code: 'engine-unavailable' })
  await worker.terminate()
})
