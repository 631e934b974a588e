// A training process that is killed twenty times at moments picked by what it has just reported, and resumed each time,
// ends with the very bytes of one that was left alone.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listCheckpoints, verifyCheckpoint } from '#main/train/checkpoint'
import { startBuilt } from './built-trainer'
import { createWorld, samplesOf, timelessRecords, tinyConfig, weightsOf, type World } from './world'

const kills = 20
const config = { ...tinyConfig, batchSize: 8, steps: 160, checkpointEvery: 5, evaluateEvery: 7 }

let world: World
let packed: string
beforeAll(async () => {
  world = await createWorld()
  packed = await world.pack(config)
})
afterAll(() => world.close())

/** Trains until the end, or until the process has reported `reports` records and is killed. */
async function trainUntil(runFolder: string, reports: number): Promise<'killed' | 'finished'> {
  const { trainer, host, signal } = await startBuilt('process')
  let seen = 0
  trainer.onRecord(() => {
    if (++seen === reports) signal('SIGKILL')
  })
  try {
    await trainer.load({ engine: 'tensorflow-cpu' })
    const { status } = await trainer.train({ runFolder, packed })
    expect(status).toBe('finished')
    return 'finished'
  } catch (error) {
    expect(error).toMatchObject({ code: 'disconnected' })
    return 'killed'
  } finally {
    await host.kill()
  }
}

test('killed twenty times, resumed each time: bit for bit the straight run', async () => {
  const straight = await world.run('straight', config)
  expect(await trainUntil(straight, Number.POSITIVE_INFINITY)).toBe('finished')

  const runFolder = await world.run('killed', config)
  const random = xoroshiro128plus(20)
  let reached = 0
  for (let kill = 0; kill < kills; kill++) {
    // Each start reports that it resumed and soon saves, so one report may be right at the start.
    const reports = 1 + ((random.next() >>> 0) % 12)
    expect(await trainUntil(runFolder, reports), `kill ${kill}, after ${reports} reports`).toBe('killed')
    // Every checkpoint that is there is whole, and none is lost once it was there.
    const listed = await listCheckpoints(runFolder)
    const names = await readdir(join(runFolder, 'checkpoints')).catch(() => [])
    expect(names.filter((name) => name.startsWith('step-'))).toHaveLength(listed.length)
    for (const { step } of listed) await verifyCheckpoint(runFolder, step)
    const last = listed.at(-1)?.step ?? 0
    expect(last).toBeGreaterThanOrEqual(reached)
    reached = last
  }
  expect(reached).toBeGreaterThan(config.steps / 4)
  expect(reached).toBeLessThan(config.steps)

  expect(await trainUntil(runFolder, Number.POSITIVE_INFINITY)).toBe('finished')
  expect(await weightsOf(runFolder, config.steps)).toEqual(await weightsOf(straight, config.steps))
  expect(await timelessRecords(runFolder)).toEqual(await timelessRecords(straight))
  expect(await samplesOf(runFolder)).toEqual(await samplesOf(straight))
  expect((await readdir(join(runFolder, 'checkpoints'))).sort()).toEqual(
    (await readdir(join(straight, 'checkpoints'))).sort(),
  )
  expect((await readdir(runFolder)).sort()).toEqual((await readdir(straight)).sort())
})
