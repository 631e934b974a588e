// The inspector and the exports of a trained run, as the window asks for them.
import { renameSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readSafetensors } from '#main/export/safetensors'
import type { GyreClient } from '#shared/contract/index'
import { copyEmoji } from '../../support/sample'
import { ensureBuilt } from '../cli/run-gyre'
import { importFolder, jobDone, openService, runWhen, tinyConfig, type Opened } from './open-service'

let root: string
let opened: Opened
let client: GyreClient
let runId: string

beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-service-'))
  await copyEmoji(join(root, 'images'), 24)
  opened = await openService(join(root, 'library'))
  client = opened.attach()
  const datasetId = await importFolder(client, join(root, 'images'))
  const { id } = await client.runs.create({ datasetId, config: { ...tinyConfig, steps: 8 } })
  runId = (await runWhen(client, id, ({ status }) => status === 'finished')).id
})
afterAll(async () => {
  await opened.close()
  await rm(root, { recursive: true, force: true })
})

it('computes the codebook once, and then finds it', async () => {
  expect(await client.inspector.summary({ runId })).toBeNull()
  await expect(client.inspector.nearest({ runId, code: 0, count: 4 })).rejects.toMatchObject({
    code: 'not-found',
  })
  const { jobId } = await client.inspector.open({ runId })
  await jobDone(client, jobId ?? '')
  expect(await client.inspector.open({ runId })).toMatchObject({ jobId: null })
  const summary = await client.inspector.summary({ runId })
  expect(summary).toMatchObject({ runId, images: 19, vectors: 19 * 16, tokens: [4, 4], codebookSize: 16 })
  const counts = Array.from(summary?.counts ?? [])
  expect(counts.reduce((a, b) => a + b, 0)).toBe(19 * 16)
  expect(summary?.used).toBe(counts.filter((count) => count > 0).length)
  expect(summary?.deadWindow).toMatch(/step/)
})

it('computes a codebook anew whose file is damaged', async () => {
  const inspections = join(root, 'library', 'runs', runId, 'inspection')
  const [folder = ''] = (await readdir(inspections)).filter((name) => name.startsWith('step-'))
  const arrays = join(inspections, folder, 'arrays.safetensors')
  const whole = await readFile(arrays)
  await writeFile(arrays, whole.subarray(1))
  const again = await openService(join(root, 'library'))
  try {
    const window = again.attach()
    // Two windows at once are answered by one computation.
    const asked = await Promise.all([window.inspector.open({ runId }), window.inspector.open({ runId })])
    expect(new Set(asked.map(({ jobId }) => jobId)).size).toBe(1)
    await jobDone(window, asked[0].jobId ?? '')
    expect((await window.inspector.summary({ runId }))?.codebookSize).toBe(16)
  } finally {
    await again.close()
  }
  expect(await readFile(arrays)).toEqual(whole)
})

it('shows the nearest samples of a code as patches of their images', async () => {
  const summary = await client.inspector.summary({ runId })
  const code = summary?.counts.findIndex((count) => count > 0) ?? -1
  const [first] = await client.inspector.nearest({ runId, code, count: 5 })
  expect(first?.file).toMatch(/\.png$/)
  const [row, column] = [first?.row ?? 0, first?.column ?? 0]
  const png = await client.inspector.patch({ runId, item: first?.item ?? -1, row, column, margin: 1 })
  expect(await sharp(png).metadata()).toMatchObject({ format: 'png' })
  await expect(
    client.inspector.patch({ runId, item: 999, row: 0, column: 0, margin: 0 }),
  ).rejects.toMatchObject({ code: 'not-found' })
})

it('shows what codes decode to, in the order asked', async () => {
  const some = await client.inspector.decodedTiles({ runId, indices: [3, 1] })
  const all = await client.inspector.decodedTiles({ runId, indices: Array.from({ length: 16 }, (_, i) => i) })
  const bytes = some.size ** 2 * 3
  expect(all.pixels).toHaveLength(16 * bytes)
  expect(some.pixels.slice(0, bytes)).toEqual(all.pixels.slice(3 * bytes, 4 * bytes))
  expect(some.pixels.slice(bytes)).toEqual(all.pixels.slice(bytes, 2 * bytes))
  await expect(client.inspector.decodedTiles({ runId, indices: [16] })).rejects.toMatchObject({
    code: 'invalid-input',
  })
})

it('shows a codebook that was looked at without starting an engine', async () => {
  const indices = Array.from({ length: 16 }, (_, code) => code)
  const drawn = await client.inspector.decodedTiles({ runId, indices })
  const noTrainer = await openService(join(root, 'library'), { trainerEntry: join(root, 'there-is-none.js') })
  try {
    const again = noTrainer.attach()
    expect((await again.inspector.open({ runId })).jobId).toBeNull()
    expect((await again.inspector.summary({ runId }))?.codebookSize).toBe(16)
    expect(await again.inspector.decodedTiles({ runId, indices })).toEqual(drawn)
    // What is not kept would need one.
    const inspections = join(root, 'library', 'runs', runId, 'inspection')
    const [file = ''] = (await readdir(inspections)).filter((name) => name.startsWith('tiles-'))
    const whole = await readFile(join(inspections, file))
    await writeFile(join(inspections, file), whole.subarray(1))
    await expect(again.inspector.decodedTiles({ runId, indices: [0] })).rejects.toThrow()
    // With one, a damaged file is drawn again and nobody notices.
    expect(await client.inspector.decodedTiles({ runId, indices })).toEqual(drawn)
    expect((await readFile(join(inspections, file))).equals(whole)).toBe(true)
  } finally {
    await noTrainer.close()
  }
})

it('keeps what was opened readable when training has replaced its checkpoint', async () => {
  const { step, jobId } = await client.inspector.open({ runId, checkpoint: 'last' })
  if (jobId !== null) await jobDone(client, jobId)
  const opened = { runId, checkpoint: step }
  const before = await client.inspector.summary(opened)
  expect(before?.step).toBe(8)
  await client.runs.resume({ id: runId, steps: 28 })
  await runWhen(client, runId, (run) => run.status === 'finished' && run.step === 28)
  // A state that was neither among the newest nor the best is gone.
  await rm(join(root, 'library', 'runs', runId, 'checkpoints', 'step-0000008'), {
    recursive: true,
    force: true,
  })
  expect(await client.inspector.summary(opened)).toEqual(before)
  const code = before?.counts.findIndex((count) => count > 0) ?? -1
  expect((await client.inspector.nearest({ ...opened, code, count: 3 })).length).toBeGreaterThan(0)
  expect((await client.inspector.open({ runId, checkpoint: 'last' })).step).toBe(28)
  await expect(client.inspector.open({ runId, checkpoint: 9 })).rejects.toMatchObject({ code: 'not-found' })
})

it('looks at the checkpoint that took the place of the one it was about to read', async () => {
  const { inspector } = opened.service
  const checkpoints = join(root, 'library', 'runs', runId, 'checkpoints')
  const [before = '', newest = ''] = (await readdir(checkpoints)).sort().slice(-2)
  // The dataset by name: nobody has looked at all of its images.
  const [dataset] = await client.datasets.list()
  const target = { runId, checkpoint: 'last', datasetId: dataset?.id ?? '' } as const
  const away = join(root, newest)
  let jobs = 0
  const step = await inspector.measure(target, (job) => {
    if (jobs++ === 0) renameSync(join(checkpoints, newest), away)
    return job.finished
  })
  expect(jobs).toBe(2)
  expect(step).toBe(Number(before.slice('step-'.length)))
  expect(await inspector.summary({ ...target, checkpoint: step })).toMatchObject({ step, images: 24 })
  await rename(away, join(checkpoints, newest))
  // A step that was asked for by its number is not another one.
  const gone = { ...target, checkpoint: Number(newest.slice('step-'.length)) }
  const refused = inspector.measure(gone, (job) => {
    renameSync(join(checkpoints, newest), away)
    return job.finished
  })
  await expect(refused).rejects.toMatchObject({ code: 'not-found' })
  await rename(away, join(checkpoints, newest))
})

it('exports a model and hands its file out in pieces', async () => {
  const { exportId, folder, files } = await client.exports.safetensors({ runId })
  const pieces: Uint8Array[] = []
  for (let offset = 0; ;) {
    const piece = await client.exports.read({ exportId, name: 'model.safetensors', offset })
    if (piece.length === 0) break
    pieces.push(piece)
    offset += piece.length
  }
  const whole = new Uint8Array(Buffer.concat(pieces))
  expect(whole.length).toBe(files.find(({ name }) => name === 'model.safetensors')?.sizeBytes)
  expect(Buffer.from(whole).equals(await readFile(join(folder, 'model.safetensors')))).toBe(true)
  const { tensors } = await readSafetensors(whole)
  expect(tensors.get('codebook')?.shape).toEqual([16, 4])
  for (const name of ['../config.json', '/etc/passwd', 'run.json'])
    await expect(client.exports.read({ exportId, name, offset: 0 })).rejects.toMatchObject({
      code: 'not-found',
    })
  const csv = await client.exports.metricsCsv({ runId })
  const [header = '', ...rows] = csv.trim().split('\r\n')
  expect(header.split(',').slice(0, 2)).toEqual(['kind', 'step'])
  expect(rows.filter((row) => row.startsWith('evaluation,28,'))).toHaveLength(1)
  expect(new Set(rows.map((row) => row.split(',').length))).toEqual(new Set([header.split(',').length]))
})

it('never writes over files that are not an export', async () => {
  await expect(client.exports.safetensors({ runId, folder: 'relative' })).rejects.toThrow('full path')
  const folder = join(root, 'exported')
  await client.exports.safetensors({ runId, folder })
  await client.exports.safetensors({ runId, folder, checkpoint: 'last' })
  const library = await client.host.info()
  await expect(client.host.reveal({ path: '/etc' })).rejects.toMatchObject({ code: 'invalid-input' })
  await expect(client.host.reveal({ path: `${library.libraryPath}-evil` })).rejects.toMatchObject({
    code: 'invalid-input',
  })
})
