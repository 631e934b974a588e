// Runs through the service, with the built trainer in its thread or in a process of its own.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import { trainerIsolations } from '#shared/contract/app'
import type { MetricsRecord } from '#shared/contract/files'
import { copyEmoji } from '../../support/sample'
import { ensureBuilt } from '../cli/run-gyre'
import { importFolder, openService, runWhen, tinyConfig, trainerEntry, type Opened } from './open-service'

let root: string
let opened: Opened
let datasetId: string
const endless = { ...tinyConfig, steps: 1_000_000 }

beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-service-'))
  await copyEmoji(join(root, 'images'), 24)
  opened = await openService(join(root, 'library'))
  datasetId = await importFolder(opened.attach(), join(root, 'images'))
})
afterAll(async () => {
  await opened.close()
  await rm(root, { recursive: true, force: true })
})

describe('a run', () => {
  it('can be followed, paused, left, joined again, resumed and stopped', async () => {
    const client = opened.attach()
    const statuses: string[] = []
    const records: MetricsRecord[] = []
    client.runs.onChange(({ run }) => {
      if (run && statuses.at(-1) !== run.status) statuses.push(run.status)
    })
    client.runs.onRecord(({ record }) => void records.push(record))
    const { id, status, parameters } = await client.runs.create({ datasetId, config: endless, name: 'One' })
    expect(status).toBe('created')
    expect(parameters).toBeGreaterThan(0)
    await runWhen(client, id, (run) => (run.best?.step ?? 0) >= 4)
    await client.runs.pause({ id })
    const paused = await runWhen(client, id, (run) => run.status === 'paused')
    client.close()

    const again = opened.attach()
    expect((await again.runs.list())[0]).toMatchObject({ id, status: 'paused', name: 'One' })
    const seen = await again.runs.metrics({ id, afterStep: -1, maxPoints: 1000 })
    const live = records.filter(({ kind }) => kind === 'evaluation')
    expect(live.length).toBeGreaterThan(0)
    for (const record of live) expect(seen).toContainEqual(record)
    const { steps, count } = await again.runs.sampleSteps({ id })
    expect(steps).toContain(4)
    expect(await again.runs.samples({ id, step: 4 })).toHaveLength(count)
    expect(await again.runs.samples({ id, step: null })).toHaveLength(count)

    await again.runs.resume({ id })
    await runWhen(again, id, (run) => run.status === 'running' && run.step > paused.step)
    await again.runs.stop({ id })
    const stopped = await again.runs.get({ id })
    expect(stopped.status).toBe('stopped')
    expect((await again.runs.checkpoints({ id })).find(({ last }) => last)?.step).toBe(stopped.step)
    expect(statuses).toEqual(['created', 'preparing', 'running', 'paused'])
    expect(await again.runs.log({ id })).toContain('Training with')
    again.close()
  })

  it('waits for the one before it, with its settings frozen', async () => {
    const client = opened.attach()
    const first = await client.runs.create({ datasetId, config: endless })
    const second = await client.runs.create({ datasetId, config: { ...tinyConfig, steps: 4 } })
    const third = await client.runs.create({ datasetId, config: endless })
    await runWhen(client, first.id, (run) => run.step >= 4)
    expect(await client.runs.get({ id: second.id })).toMatchObject({ status: 'created', step: 0 })
    await client.runs.stop({ id: first.id })
    await expect(client.runs.remove({ id: third.id })).rejects.toMatchObject({ code: 'busy' })
    await expect(client.datasets.remove({ id: datasetId })).rejects.toMatchObject({ code: 'busy' })
    const finished = await runWhen(client, second.id, (run) => run.status === 'finished')
    expect(finished).toMatchObject({ step: 4, last: { step: 4 }, config: { steps: 4 } })
    await client.runs.stop({ id: third.id })
    client.close()
  })

  it('starts from the best weights of another, and is refused what does not fit', async () => {
    const client = opened.attach()
    const [from] = (await client.runs.list()).filter(({ status }) => status === 'finished')
    const fromRun = from?.id ?? ''
    const config = { ...tinyConfig, steps: 4 }
    const other = { ...config, codebookSize: 32 }
    await expect(client.runs.create({ datasetId, config: other, fromRun })).rejects.toThrow('codebookSize')
    const { id, startedFrom } = await client.runs.create({ datasetId, config, fromRun })
    expect(startedFrom).toEqual({ run: fromRun, step: from?.best?.step })
    await runWhen(client, id, (run) => run.status === 'finished')
    await expect(client.runs.resume({ id })).rejects.toMatchObject({ code: 'invalid-input' })
    await client.runs.resume({ id, steps: 6 })
    await runWhen(client, id, (run) => run.status === 'finished' && run.step === 6)
    client.close()
  })

  it('has its time per step measured, and its notes and name changed', async () => {
    const client = opened.attach()
    const { id } = await client.runs.create({ datasetId, config: { ...tinyConfig, steps: 40 } })
    await client.runs.update({ id, notes: 'While it trains' })
    const run = await runWhen(client, id, ({ status }) => status === 'finished')
    expect(run.notes).toBe('While it trains')
    await client.runs.update({ id, name: 'Afterwards' })
    expect(await client.runs.get({ id })).toMatchObject({ name: 'Afterwards', notes: 'While it trains' })
    const config = { ...defaultConfig, ...tinyConfig }
    const cost = await client.design.preflight({ datasetId, config, engine: 'auto' })
    expect(cost.secondsPerStep).toBeGreaterThan(0)
    expect(cost).toMatchObject({
      parameters: run.parameters,
      tokens: [4, 4],
      trainImages: 19,
      validationImages: 5,
    })
    await client.runs.remove({ id })
    await expect(client.runs.get({ id })).rejects.toMatchObject({ code: 'not-found' })
    expect(await readdir(join(root, 'library', 'trash'))).toHaveLength(1)
    client.close()
  })
})

describe('when things go wrong', () => {
  it.each(trainerIsolations)(
    'keeps a run whose trainer crashed in its %s, says so, and trains on',
    async (where) => {
      const flag = join(root, `crash-now-${where}`)
      const entry = join(root, `crashing-trainer-${where}.mjs`)
      await writeFile(
        entry,
        `import { rmSync } from 'node:fs'
      setInterval(() => {
        try { rmSync(${JSON.stringify(flag)}) } catch { return }
        throw new Error('a planned crash')
      }, 5)
      await import(${JSON.stringify(pathToFileURL(trainerEntry).href)})`,
      )
      const crashing = await openService(join(root, `library crashing ${where}`), { trainerEntry: entry })
      const client = crashing.attach()
      await client.settings.set({ trainerIsolation: where })
      const dataset = await importFolder(client, join(root, 'images'))
      const { id } = await client.runs.create({ datasetId: dataset, config: endless })
      await runWhen(client, id, (run) => (run.last?.step ?? 0) >= 8)
      await writeFile(flag, '')
      const run = await runWhen(client, id, ({ status }) => status !== 'running')
      expect(run.status).toBe('interrupted')
      expect(run.error?.message).toContain('a planned crash')
      expect(run.step).toBe((await client.runs.checkpoints({ id })).at(-1)?.step)
      expect((await client.jobs.list()).find(({ kind }) => kind === 'train')?.status).toBe('failed')
      await client.runs.resume({ id, steps: run.step + 2 })
      await runWhen(client, id, ({ status }) => status === 'finished')
      await crashing.close()
    },
  )

  it('stops and keeps what trains when it is closed, and lets go of what waits', async () => {
    const library = join(root, 'library 3')
    const first = await openService(library)
    const client = first.attach()
    const dataset = await importFolder(client, join(root, 'images'))
    const training = await client.runs.create({ datasetId: dataset, config: endless })
    const waiting = await client.runs.create({ datasetId: dataset, config: endless })
    await runWhen(client, training.id, (run) => run.step >= 4)
    await first.close()
    const second = await openService(library)
    const runs = await second.service.store.list()
    expect(runs.map(({ id, status }) => [id, status])).toEqual(
      expect.arrayContaining([
        [training.id, 'stopped'],
        [waiting.id, 'stopped'],
      ]),
    )
    expect(await second.service.runs.checkpoints(training.id)).not.toHaveLength(0)
    await second.close()
  })

  it('gives a run to exactly one of two services', async () => {
    const other = await openService(join(root, 'library'))
    const [a, b] = [opened.attach(), other.attach()]
    const { id } = await a.runs.create({ datasetId, config: endless })
    await runWhen(a, id, (run) => run.step >= 4)
    await expect(b.runs.resume({ id })).rejects.toMatchObject({ code: 'busy' })
    await expect(b.runs.remove({ id })).rejects.toMatchObject({ code: 'busy' })
    await expect(b.datasets.remove({ id: datasetId })).rejects.toMatchObject({ code: 'busy' })
    expect((await b.runs.list()).find((run) => run.id === id)?.status).toBe('running')
    // The other's window follows along, and is told of the end.
    const told = runWhen(b, id, ({ status }) => status === 'stopped')
    await a.runs.stop({ id })
    await told
    await b.runs.resume({ id, steps: (await a.runs.get({ id })).step + 1 })
    await runWhen(b, id, ({ status }) => status === 'finished')
    await other.close()
  })
})
