// Memory that really runs out: WASM's own limit in a thread, and the operating system's limit around TensorFlow in a
// process. The answer names a batch size, and that one trains within the same limit.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listEngines } from '#main/engine/index'
import { copyEmoji } from '../../support/sample'
import { cliPath, environment } from '../../support/gyre-process'
import { ensureBuilt } from '../cli/run-gyre'
import { importFolder, openService, runWhen } from './open-service'

let root: string
beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-memory-'))
  await copyEmoji(join(root, 'images'), 24)
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** Much memory, little arithmetic. */
const wide = {
  imageSize: 256,
  channels: 8,
  residualBlocks: 1,
  codebookSize: 16,
  codeDim: 4,
  steps: 2,
} as const

describe('WASM in a thread', () => {
  const tooLarge = 512

  it('fails with the batch size that fits, and the run can be made anew with it', async () => {
    const opened = await openService(join(root, 'library wasm'))
    const client = opened.attach()
    const datasetId = await importFolder(client, join(root, 'images'))
    const train = (batchSize: number): ReturnType<typeof client.runs.create> =>
      client.runs.create({ datasetId, engine: 'wasm', config: { ...wide, batchSize } })
    const { id } = await train(tooLarge)
    const failed = await runWhen(client, id, ({ status }) => status === 'failed')
    expect(failed.error).toMatchObject({
      code: 'out-of-memory',
      message: `The memory is not enough for batches of ${tooLarge} images.`,
    })
    const batchSize = failed.error?.batchSize ?? 0
    expect(batchSize).toBeLessThan(tooLarge)
    expect(failed.error?.hint).toMatch(new RegExp(`batch size of ${batchSize} fits`))
    expect(await client.runs.log({ id })).toContain(`batch size of ${batchSize} fits`)
    const again = await train(batchSize)
    await runWhen(client, again.id, ({ status }) => status === 'finished')
    await opened.close()
  })
})

interface Ended {
  code: number | null
  json: { step: number; error?: { code: string; message: string; hint: string; batchSize?: number } }
}

/** `gyre train` that may use so many kB of addresses; the trainer's process inherits the limit. */
async function trainWithin(limitKb: number, library: string, batchSize: number): Promise<Ended> {
  const settings = Object.entries({ ...wide, batchSize }).map(([key, value]) => `${key}=${value}`)
  const command = ['train', '--data', join(root, 'images'), '--engine', 'tensorflow-cpu', '--json']
  const shell = `ulimit -v ${limitKb} && exec "$@"`
  const args = ['-c', shell, 'sh', process.execPath, cliPath, ...command, '--set', ...settings]
  const child = spawn('sh', args, { env: environment(library), stdio: ['ignore', 'pipe', 'inherit'] })
  let stdout = ''
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, json: JSON.parse(stdout) as Ended['json'] }
}

describe('TensorFlow in a process, under a limit of the operating system', () => {
  const tooLarge = 1024

  it('fails with the batch size that fits, which trains within the same limit', async ({ skip }) => {
    skip(process.platform !== 'linux', 'Only Linux keeps to `ulimit -v`.')
    const engine = (await listEngines()).find(({ id }) => id === 'tensorflow-cpu')
    skip(!engine?.available, engine?.reason ?? 'There is no TensorFlow engine.')
    const library = join(root, 'library limited')
    await mkdir(library)
    await writeFile(join(library, 'settings.json'), JSON.stringify({ trainerIsolation: 'process' }))
    const limitKb = 6_500_000
    const failed = await trainWithin(limitKb, library, tooLarge)
    expect(failed.code).toBe(1)
    expect(failed.json.error).toMatchObject({ code: 'out-of-memory' })
    expect(failed.json.error?.message).toContain(`batches of ${tooLarge} images`)
    const { batchSize = 0, hint } = failed.json.error ?? {}
    expect(hint).toBe(`A batch size of ${batchSize} fits: it was tried just now. Start a new run with it.`)
    expect(batchSize).toBeLessThan(tooLarge)
    const again = await trainWithin(limitKb, library, batchSize)
    expect(again).toMatchObject({ code: 0, json: { step: wide.steps } })
  })
})
