import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import { schemaVersion, type RunFile } from '#shared/contract/files'
import { Bus } from '../../../src-main/service/bus'
import { libraryLayout } from '../../../src-main/service/layout'
import { recoverRuns } from '../../../src-main/service/library'
import { newRunId, readRunFile, RunStore } from '../../../src-main/service/run-store'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-runs-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

function newFile(change: Partial<RunFile> = {}): RunFile {
  const now = new Date().toISOString()
  return {
    ...{ schemaVersion, id: newRunId(), name: 'A run', notes: '', createdAt: now, updatedAt: now },
    ...{ config: defaultConfig, engineWish: 'auto', engine: null, status: 'finished', step: 0, trainedMs: 0 },
    dataset: { id: 'd', name: 'Images', fingerprint: 'f', source: '/images', imageCount: 3 },
    ...{ parameters: 1, startedFrom: null, last: null, best: null, error: null },
    ...change,
  }
}

function openStore(name: string) {
  const layout = libraryLayout(join(root, name))
  const bus = new Bus()
  const changes: { id: string; run: RunFile | null }[] = []
  bus.bind((topic, event, payload) => {
    if (topic === 'runs' && event === 'onChange') changes.push(payload as { id: string; run: RunFile | null })
  })
  return { layout, store: new RunStore(layout, bus), changes }
}

describe('run store', () => {
  it('writes, lists, changes and trashes runs', async () => {
    const { store, layout, changes } = openStore('plain')
    const older = newFile({ createdAt: '2026-01-01T00:00:00.000Z' })
    for (const file of [older, newFile()]) await (await store.create(file)).release()
    expect((await store.list()).map(({ id }) => id)[1]).toBe(older.id)
    const run = await store.own(older.id)
    await expect(store.own(older.id)).rejects.toMatchObject({ code: 'busy' })
    run.update({ name: 'Renamed' })
    expect((await store.read(older.id)).name).toBe('Renamed')
    await run.release()
    expect(JSON.parse(await readFile(join(layout.run(older.id), 'run.json'), 'utf8'))).toMatchObject({
      name: 'Renamed',
    })
    expect(await readdir(layout.run(older.id))).toEqual(['run.json'])
    await store.trash(older.id)
    expect(changes.at(-1)).toEqual({ id: older.id, run: null })
    await expect(store.read(older.id)).rejects.toMatchObject({ code: 'not-found' })
    expect(await readdir(layout.trash)).toHaveLength(1)
  })

  it('finds runs by path and by id, and keeps those outside apart', async () => {
    const { store, layout } = openStore('finding')
    const file = newFile()
    await (await store.create(file)).release()
    const copy = join(root, 'copy of it')
    await cp(layout.run(file.id), copy, { recursive: true })
    expect(await store.find(file.id)).toBe(file.id)
    expect(await store.find(layout.run(file.id))).toBe(file.id)
    expect(store.isInLibrary(file.id)).toBe(true)
    expect(await store.find(copy)).toBe(file.id)
    expect(store.folderOf(file.id)).toBe(copy)
    await expect(store.trash(file.id)).rejects.toMatchObject({ code: 'unsupported' })
    await expect(store.find('nothing')).rejects.toMatchObject({ code: 'not-found' })
    await expect(store.find(root)).rejects.toMatchObject({ code: 'not-found' })
  })

  it('refuses a folder that holds something', async () => {
    const { store } = openStore('occupied')
    const folder = join(root, 'occupied folder')
    await mkdir(folder)
    await writeFile(join(folder, 'photo.png'), 'x')
    await expect(store.create(newFile(), folder)).rejects.toThrow('not empty')
    expect(await readdir(folder)).toEqual(['photo.png'])
  })

  it('reads a run.json as the input of a stranger', async () => {
    const write = async (name: string, text: string): Promise<string> => {
      const folder = join(root, name)
      await mkdir(folder)
      await writeFile(join(folder, 'run.json'), text)
      return folder
    }
    const good = newFile()
    const refused: [string, string][] = [
      [await write('torn', JSON.stringify(good).slice(0, 200)), 'corrupt'],
      [await write('list', '[]'), 'corrupt'],
      [await write('null', 'null'), 'corrupt'],
      [await write('bad-id', JSON.stringify({ ...good, id: '../../etc' })), 'corrupt'],
      [await write('bad-config', JSON.stringify({ ...good, config: { steps: -1 } })), 'corrupt'],
      [await write('newer', JSON.stringify({ schemaVersion: schemaVersion + 1 })), 'unsupported'],
      [await write('large', JSON.stringify({ ...good, notes: 'x'.repeat(2_000_000) })), 'corrupt'],
    ]
    const link = join(root, 'link')
    await mkdir(link)
    await writeFile(join(root, 'secret.json'), JSON.stringify(good))
    await symlink(join(root, 'secret.json'), join(link, 'run.json'))
    refused.push([link, 'invalid-input'])
    for (const [folder, code] of refused)
      await expect(readRunFile(folder), folder).rejects.toMatchObject({ code })
    expect(await readRunFile(await write('good', JSON.stringify(good)))).toEqual(good)
  })

  it('marks what a dead process was training, and leaves alone what a living one trains', async () => {
    const { store } = openStore('recovery')
    const dead = newFile({ status: 'running', step: 50 })
    const alive = newFile({ status: 'running', step: 50 })
    await (await store.create(dead)).release()
    const owned = await store.create(alive)
    const after = openStore('recovery').store
    await recoverRuns(after, new AbortController().signal)
    expect(await after.read(dead.id)).toMatchObject({ status: 'interrupted', step: 0 })
    expect((await after.read(dead.id)).error?.message).toContain('before the first checkpoint')
    expect(await after.read(alive.id)).toMatchObject({ status: 'running', step: 50 })
    await owned.release()
  })
})
