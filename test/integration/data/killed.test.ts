// Import and packing of 800 sample images in a child process that is killed at seeded random moments: whatever it leaves
// is either whole or swept, and the next attempt gives the same bytes as one that was never disturbed.
import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import {
  openPack,
  packFolderOf,
  readDataset,
  readItems,
  readSkipped,
  sweepTemporaries,
} from '#main/data/index'
import { drawInt, randomAt } from '#main/data/random'
import { copyEmoji } from '../../support/sample'

const kills = 12
const count = 800
const repository = resolve(import.meta.dirname, '../../..')
const transform: Transform = { imageSize: 32, resize: 'crop', background: '#ffffff', channelsIn: 3 }

const program = `
import { importDataset, packDataset, readDataset } from './data.mjs'
const [datasetFolder, source, transform] = process.argv.slice(2)
const isThere = await readDataset(datasetFolder).then(() => true, () => false)
if (!isThere) await importDataset({ datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' })
await packDataset({ datasetFolder, transform: JSON.parse(transform) })
`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-test-'))
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'))
  await build({
    root: repository,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: join(repository, 'src-main/data/index.ts'),
      outDir: folder,
      emptyOutDir: false,
      rollupOptions: { output: { entryFileNames: 'data.mjs' } },
    },
  })
  await writeFile(join(folder, 'program.mjs'), program)
  await copyEmoji(join(folder, 'source'), count)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Runs the program, killed after `killAfterMs` if it still runs then; true when it came to its end. */
async function run(datasetFolder: string, killAfterMs?: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    [join(folder, 'program.mjs'), datasetFolder, join(folder, 'source'), JSON.stringify(transform)],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const ended = new Promise<number | null>((done) => child.once('close', (code) => done(code)))
  if (killAfterMs !== undefined) {
    await Promise.race([wait(killAfterMs), ended])
    child.kill('SIGKILL')
  }
  const code = await ended
  if (code !== null && code !== 0) throw new Error(`The program ended with ${code}.`)
  return code === 0
}

/** What is visible under its own name must be whole. Returns how far it is. */
async function check(datasetFolder: string): Promise<'nothing' | 'imported' | 'packed'> {
  const dataset = await readDataset(datasetFolder).catch((error: unknown) => {
    expect(error).toMatchObject({ code: 'not-found' })
    return null
  })
  if (dataset === null) return 'nothing'
  expect(dataset.imageCount).toBe(count)
  expect((await readItems(datasetFolder, 700, 1000)).items).toHaveLength(100)
  expect((await readSkipped(datasetFolder, 0, 10)).total).toBe(0)
  const packFolder = packFolderOf(datasetFolder, dataset.fingerprint, transform)
  const visible = (await readdir(join(datasetFolder, 'packs')).catch(() => [])).filter(
    (name) => !name.startsWith('.'),
  )
  if (visible.length === 0) return 'imported'
  const pack = openPack(packFolder)
  expect(pack.info).toMatchObject({ count, missing: [] })
  pack.close()
  return 'packed'
}

async function digest(datasetFolder: string): Promise<string> {
  const dataset = await readDataset(datasetFolder)
  const packFolder = packFolderOf(datasetFolder, dataset.fingerprint, transform)
  const hash = createHash('sha256')
  for (const name of (await readdir(packFolder)).sort())
    hash.update(name).update(await readFile(join(packFolder, name)))
  return hash.update(await readFile(join(datasetFolder, 'items.jsonl'))).digest('hex')
}

describe('import and packing', () => {
  it(`killed ${kills} times leave nothing half done and end like an undisturbed run`, async () => {
    const straight = join(folder, 'straight')
    await mkdir(straight)
    const startMs = performance.now()
    expect(await run(straight)).toBe(true)
    const wholeMs = performance.now() - startMs
    const wanted = await digest(straight)

    const random = randomAt(1, 'batch', 0)
    for (let kill = 0; kill < kills; kill++) {
      const datasetFolder = join(folder, `killed-${kill}`)
      await mkdir(datasetFolder)
      const done = await run(datasetFolder, drawInt(random, 100, Math.ceil(wholeMs)))
      const reached = await check(datasetFolder)
      if (done) expect(reached).toBe('packed')
      await sweepTemporaries(datasetFolder)
      await sweepTemporaries(join(datasetFolder, 'packs'))
      if (kill % 4 === 0) {
        await run(datasetFolder)
        expect(await digest(datasetFolder)).toBe(wanted)
      }
      const left = await readdir(datasetFolder, { recursive: true })
      expect(left.filter((name) => name.includes('.gyre-tmp-'))).toEqual([])
      await rm(datasetFolder, { recursive: true })
    }
  })
})
