// Tests and measurements of real engines through the service: what they find and keep, and that training comes first.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { engineBenchmark } from '#shared/contract/engines'
import { listEngines, type EngineId } from '#main/engine/index'
import { copyEmoji } from '../../support/sample'
import { ensureBuilt } from '../cli/run-gyre'
import { importFolder, jobDone, openService, runWhen, tinyConfig, type Opened } from './open-service'

let root: string
let opened: Opened
const endless = { ...tinyConfig, steps: 1_000_000 }

beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-engines-'))
  await copyEmoji(join(root, 'images'), 24)
  opened = await openService(join(root, 'library'), { benchmarkSteps: 1 })
})
afterAll(async () => {
  await opened.close()
  await rm(root, { recursive: true, force: true })
})

const native = (await listEngines()).find(({ id }) => id === 'tensorflow-cpu')
const engine: EngineId = native?.available ? 'tensorflow-cpu' : 'wasm'

describe('measuring an engine', () => {
  beforeEach(({ skip }) => skip(!native?.available, native?.reason ?? 'There is no TensorFlow engine.'))

  it('takes steps of every kind that it has, and keeps what they took', async () => {
    const client = opened.attach()
    const { jobId } = await client.engines.benchmark({ id: engine })
    await expect(client.engines.test({ id: engine })).rejects.toMatchObject({ code: 'busy' })
    expect(await jobDone(client, jobId)).toMatchObject({ kind: 'bench', engineId: engine })
    const [found] = await client.engines.benchmarks()
    expect(found).toMatchObject({
      engine: { id: engine },
      preset: 'quick-look',
      batchSize: 32,
      imageSize: 64,
    })
    const { eagerMs, compiledMs, compiledBf16Ms, reasons } = found?.steps ?? {}
    expect(eagerMs).toBeGreaterThan(0)
    expect(compiledMs).toBeGreaterThan(0)
    expect(Object.keys(reasons ?? {})).toEqual(compiledBf16Ms === null ? ['compiledBf16Ms'] : [])
    const stored: unknown = JSON.parse(await readFile(join(root, 'library', 'benchmarks.json'), 'utf8'))
    expect(engineBenchmark.array().parse(stored)).toEqual([found])
  })

  it('is cancelled without a trace, and the engine is free again', async () => {
    const client = opened.attach()
    const before = await client.engines.benchmarks()
    const { jobId } = await client.engines.benchmark({ id: engine })
    await client.jobs.cancel({ id: jobId })
    await expect(jobDone(client, jobId)).rejects.toThrow('Cancelled.')
    expect(await client.engines.benchmarks()).toEqual(before)
    const { pass, checks } = await client.engines.test({ id: engine })
    expect(checks.filter((check) => !check.pass)).toEqual([])
    expect(pass).toBe(true)
  })
})

describe('training comes first', () => {
  it('a run that begins ends a measurement and a self-test, and trains', async () => {
    const client = opened.attach()
    const datasetId = await importFolder(client, join(root, 'images'))
    const name = 'comes first'
    const train = (): ReturnType<typeof client.runs.create> =>
      client.runs.create({ datasetId, config: { ...tinyConfig, steps: 2 }, engine, name })
    const { jobId } = await client.engines.benchmark({ id: engine })
    const measuring = expect(jobDone(client, jobId)).rejects.toThrow('because the run “comes first” began')
    const first = await train()
    await measuring
    await runWhen(client, first.id, ({ status }) => status === 'finished')

    const testing = expect(client.engines.test({ id: engine })).rejects.toMatchObject({
      code: 'busy',
      message: 'The test or measurement of an engine was ended, because the run “comes first” began.',
    })
    const second = await train()
    await testing
    await runWhen(client, second.id, ({ status }) => status === 'finished')
  })

  it('while a run trains, both are refused with its name, and it goes on', async () => {
    const client = opened.attach()
    const datasetId = await importFolder(client, join(root, 'images'))
    const { id } = await client.runs.create({ datasetId, config: endless, engine, name: 'leaves' })
    const { step } = await runWhen(client, id, (run) => run.status === 'running' && run.step >= 4)
    const refusal = { code: 'busy', message: 'The run “leaves” is being trained.' }
    await expect(client.engines.test({ id: 'wasm' })).rejects.toMatchObject(refusal)
    const { jobId } = await client.engines.benchmark({ id: 'wasm' })
    await expect(jobDone(client, jobId)).rejects.toThrow(refusal.message)
    // Another window, or command, on the same library.
    const other = await openService(join(root, 'library'))
    await expect(other.attach().engines.test({ id: 'wasm' })).rejects.toMatchObject(refusal)
    await other.close()
    await runWhen(client, id, (run) => run.step > step)
    await client.runs.stop({ id })
    expect(await client.engines.test({ id: 'wasm' })).toMatchObject({ pass: true })
  })
})
