// The built trainer in each of its hosts: messages reach the loop between steps, typed arrays cross, looking at a
// checkpoint goes on while a run trains, and how it ends is told.
import { constants } from 'node:os'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { listCheckpoints, verifyCheckpoint } from '#main/train/checkpoint'
import { places, startBuilt, type TrainerClient } from './built-trainer'
import { createWorld, recordsOf, tinyConfig, weightsOf, type World } from './world'

vi.mock('electron', () => import('../../support/fake-utility'))

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

describe.each(places)('in a %s', (place) => {
  test('load, train, pause, look, resume, stop, go on', async () => {
    const { trainer, host } = await startBuilt(place)
    try {
      const engine = await trainer.load({ engine: 'tensorflow-cpu' })
      expect(engine).toMatchObject({ id: 'tensorflow-cpu' })
      const config = { ...tinyConfig, steps: 100_000, evaluateEvery: 50_000, checkpointEvery: 50_000 }
      const runFolder = await world.run(`run in a ${place}`, config)
      const running = status(trainer, 'running')
      const training = trainer.train({ runFolder, packed })
      // A training that fails says so, and is not waited for.
      await Promise.race([running, training])
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
      expect(before.rssBytes).toBeGreaterThan(before.bytes)
      expect(before.cpuMs).toBeGreaterThan(0)
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
      await host.kill()
    }
  })

  test('a call before the engine is loaded is refused in a sentence', async () => {
    const { trainer, host } = await startBuilt(place)
    const runFolder = await world.run(`early in a ${place}`)
    await expect(trainer.train({ runFolder, packed })).rejects.toMatchObject({ code: 'engine-unavailable' })
    await host.kill()
  })

  test('an end that was asked for is no crash', async () => {
    const { host } = await startBuilt(place)
    await host.kill()
    expect(await host.ended).toBeNull()
  })
})

describe.each(places.filter((place) => place !== 'worker thread'))('a %s of its own', (place) => {
  test.each([
    ['SIGSEGV', 'internal', /fault in native code \(SIGSEGV\)/],
    ['SIGABRT', 'internal', /fault in native code \(SIGABRT\)/],
    ['SIGKILL', 'out-of-memory', /ended from outside/],
    // Ctrl+C in a terminal reaches it too, and is left to the parent, which ends what trains in order.
    ['SIGINT', null, null],
  ] as const)('%s while it trains', async (name, code, words) => {
    const { trainer, host, signal } = await startBuilt(place)
    await trainer.load({ engine: 'tensorflow-cpu' })
    const config = { ...tinyConfig, steps: 100_000, evaluateEvery: 50_000, checkpointEvery: 3 }
    const runFolder = await world.run(`${name} in a ${place}`, config)
    const saved = new Promise<void>((resolve) => {
      trainer.onRecord(({ record }) => {
        if (record.kind === 'event' && record.event === 'checkpoint' && record.step >= 6) resolve()
      })
    })
    const training = trainer.train({ runFolder, packed })
    await saved
    signal(name)
    if (code === null) {
      await trainer.stop()
      await expect(training).resolves.toMatchObject({ status: 'stopped' })
      await host.kill()
      return
    }
    await expect(training).rejects.toMatchObject({ code: 'disconnected' })
    const crash = await host.ended
    expect(crash).toMatchObject({ code })
    expect(crash?.message).toMatch(words)
    const last = (await listCheckpoints(runFolder)).at(-1)?.step ?? 0
    expect(last).toBeGreaterThanOrEqual(6)
    await verifyCheckpoint(runFolder, last)
  })

  test('another signal is no fault', async () => {
    const { trainer, host, signal } = await startBuilt(place)
    await trainer.load({ engine: 'wasm' })
    signal('SIGHUP')
    // Electron gives a signal's number where Node's own exits have their code.
    const words = place === 'process' ? 'SIGHUP' : `exit code ${constants.signals.SIGHUP}`
    expect(await host.ended).toMatchObject({
      code: 'internal',
      message: `The trainer stopped unexpectedly: ${words}`,
    })
  })
})
