// The trainer in a process of its own, through the service: what the service outlives, and what outlives the service.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TrainerIsolation } from '#shared/contract/app'
import { processHost } from '#main/service/process-host'
import { threadHost } from '#main/service/thread-host'
import type { TrainerHost, TrainerProcess } from '#main/service/trainer-host'
import { verifyCheckpoint } from '#main/train/checkpoint'
import { copyEmoji } from '../../support/sample'
import { ensureBuilt, startGyre, tiny } from '../cli/run-gyre'
import { importFolder, openService, runWhen, tinyConfig, trainerEntry } from './open-service'

let root: string
const endless = { ...tinyConfig, steps: 1_000_000 }

beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-apart-'))
  await copyEmoji(join(root, 'images'), 24)
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('a trainer in a process of its own', () => {
  it('outlives a native fault, and resumes from the checkpoint', async () => {
    let trainer: TrainerProcess | undefined
    const real = processHost(trainerEntry)
    const start = async (): Promise<TrainerProcess> => (trainer = await real.start())
    const apart = await openService(join(root, 'library apart'), {
      trainerHosts: { process: { ...real, start } },
    })
    const client = apart.attach()
    await client.settings.set({ trainerIsolation: 'process' })
    const dataset = await importFolder(client, join(root, 'images'))
    const { id } = await client.runs.create({ datasetId: dataset, config: endless })
    await runWhen(client, id, (run) => (run.last?.step ?? 0) >= 8)
    const pid = trainer?.pid ?? 0
    expect(pid).toBeGreaterThan(0)
    process.kill(pid, 'SIGSEGV')
    const run = await runWhen(client, id, ({ status }) => status !== 'running')
    expect(run).toMatchObject({ status: 'interrupted', error: { code: 'internal' } })
    expect(run.error?.message).toContain('SIGSEGV')
    const kept = (await client.runs.checkpoints({ id })).at(-1)?.step ?? 0
    expect(kept).toBeGreaterThanOrEqual(4)
    expect(run.step).toBe(kept)
    await client.runs.resume({ id, steps: kept + 2 })
    await runWhen(client, id, ({ status }) => status === 'finished')
    expect(trainer?.pid).not.toBe(pid)
    expect(await client.runs.log({ id })).toContain(`Goes on from step ${kept}.`)
    await apart.close()
  })

  it('starts the next trainer where the setting says by then', async () => {
    const started: string[] = []
    const counted = (isolation: TrainerIsolation, real: TrainerHost): TrainerHost => ({
      ...real,
      start: () => {
        started.push(isolation)
        return real.start()
      },
    })
    const changing = await openService(join(root, 'library changing'), {
      trainerHosts: {
        thread: counted('thread', threadHost(trainerEntry)),
        process: counted('process', processHost(trainerEntry)),
      },
    })
    const client = changing.attach()
    const dataset = await importFolder(client, join(root, 'images'))
    for (const trainerIsolation of ['thread', 'thread', 'process', 'process', 'thread'] as const) {
      await client.settings.set({ trainerIsolation })
      const { id } = await client.runs.create({ datasetId: dataset, config: { ...tinyConfig, steps: 2 } })
      await runWhen(client, id, ({ status }) => status === 'finished')
    }
    expect(started).toEqual(['thread', 'process', 'thread'])
    await changing.close()
  })

  it('keeps its run for itself after its parent was killed, until it is gone too', async () => {
    const library = join(root, 'library orphan')
    await mkdir(library)
    await writeFile(join(library, 'settings.json'), JSON.stringify({ trainerIsolation: 'process' }))
    const out = join(library, 'runs', 'orphaned')
    const command = ['train', '--data', join(root, 'images'), '--steps', '1000000', '--out', out]
    const parent = startGyre(library, [...command, '--set', ...tiny])
    await parent.said(/Step 8:/)
    const owners = (await readdir(join(out, '.lock'))).filter((name) => name.endsWith('.held'))
    const pids = owners.map((name) => Number(name.split('.')[0]))
    const trainerPid = pids.find((pid) => pid !== parent.child.pid) ?? 0
    expect(pids).toContain(parent.child.pid)
    // Stopped, it can neither save nor end: the moment in which somebody starts Gyre again is held still.
    process.kill(trainerPid, 'SIGSTOP')
    parent.child.kill('SIGKILL')
    await parent.ended

    const again = await openService(library)
    const client = again.attach()
    const [orphan] = await client.runs.list()
    const id = orphan?.id ?? ''
    expect(orphan?.status).toBe('running')
    await expect(client.runs.resume({ id })).rejects.toMatchObject({ code: 'busy' })
    process.kill(trainerPid, 'SIGCONT')
    const run = await runWhen(client, id, ({ status }) => status !== 'running')
    expect(run.status).toBe('interrupted')
    expect(run.step).toBeGreaterThanOrEqual(8)
    // What it had learnt when its parent died is saved.
    await verifyCheckpoint(out, run.step)
    expect(() => process.kill(trainerPid, 0)).toThrow()
    await client.runs.resume({ id, steps: run.step + 2 })
    await runWhen(client, id, ({ status }) => status === 'finished')
    await again.close()
  })
})
