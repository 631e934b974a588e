import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { listCheckpoints, readTensors, resolveCheckpoint } from '#main/train/checkpoint'
import { setAside, sweepCheckpoints, writeCheckpoint } from '#main/train/checkpoint-write'
import type { CheckpointState } from '#main/train/state'

let run: string
beforeEach(async () => (run = await mkdtemp(join(tmpdir(), 'gyre-checkpoint-'))))
afterEach(() => rm(run, { recursive: true }))

function state(step: number, mse?: number): CheckpointState {
  const metrics = {
    psnr: 1,
    usage: 1,
    usagePer256: 1,
    perplexity: 1,
    quantizationError: 1,
    commitmentLoss: 1,
    images: 1,
  }
  return {
    schemaVersion: 1,
    step,
    trainedMs: 5,
    engine: { id: 'wasm', version: '1' },
    batches: { batch: step },
    random: [1, 2],
    sums: {
      steps: 0,
      images: 0,
      loss: 0.1,
      mse: 0,
      commitmentLoss: 0,
      codebookLoss: 0,
      quantizationError: 0,
      gradientNorm: 0,
    },
    window: { from: 0, to: 0, counts: [0, 1], revived: 0 },
    lastWindow: null,
    evaluation: mse === undefined ? null : { mse, ...metrics },
    last: null,
    best: null,
  }
}

async function save(step: number, mse?: number, best: number | null = null): Promise<void> {
  const data = new Float32Array(50).map((_, i) => Math.sin(step + i))
  await writeCheckpoint(
    run,
    {
      state: state(step, mse),
      model: [{ name: 'codebook', dtype: 'F32', shape: [10, 5], data }],
      optimizer: [{ name: 'm.codebook', dtype: 'F32', shape: [50], data }],
    },
    best,
  )
}

const steps = async (): Promise<number[]> => (await listCheckpoints(run)).map(({ step }) => step)
const file = (step: number, name: string): string => join(run, 'checkpoints', `step-000000${step}`, name)
const names = ['model.safetensors', 'optimizer.safetensors', 'state.json', 'MANIFEST.json']

test('what was written is read back', async () => {
  await save(3, 0.5)
  const found = await resolveCheckpoint(run, 'last')
  expect(found).toMatchObject({ step: 3, rejected: [], state: state(3, 0.5) })
  const model = await readTensors(found.folder, 'model', ['codebook'])
  expect(model.get('codebook')?.data).toEqual(new Float32Array(50).map((_, i) => Math.sin(3 + i)))
  expect((await readdir(found.folder)).sort()).toEqual([...names].sort())
})

test('the newest two and the best are kept', async () => {
  await save(1, 0.5, 1)
  await save(2, 0.3, 2)
  await save(3, 0.4, 2)
  await save(4, 0.6, 2)
  expect(await listCheckpoints(run)).toMatchObject([
    { step: 2, best: true, last: false },
    { step: 3, best: false, last: false },
    { step: 4, best: false, last: true },
  ])
  await save(5, 0.1, 5)
  expect(await steps()).toEqual([4, 5])
  expect((await resolveCheckpoint(run, 'best')).step).toBe(5)
})

test('best is the lowest evaluated error, the earlier of equals, the last where none was evaluated', async () => {
  await save(1)
  await save(2)
  expect((await resolveCheckpoint(run, 'best')).step).toBe(2)
  await save(3, 0.2, 3)
  await save(4, 0.2, 3)
  expect((await resolveCheckpoint(run, 'best')).step).toBe(3)
})

test('a step that is asked for by number is found, or the answer names those there are', async () => {
  await expect(resolveCheckpoint(run, 'last')).rejects.toMatchObject({ code: 'not-found' })
  await save(1)
  expect((await resolveCheckpoint(run, 1)).step).toBe(1)
  await expect(resolveCheckpoint(run, 7)).rejects.toMatchObject({ code: 'not-found', hint: /steps 1/ })
})

test('writing the same step again keeps the good one; a damaged one is replaced', async () => {
  await save(1)
  const before = await readFile(file(1, 'MANIFEST.json'))
  await save(1)
  expect(await readFile(file(1, 'MANIFEST.json'))).toEqual(before)
  await truncate(file(1, 'state.json'), 3)
  expect(await steps()).toEqual([])
  await save(1)
  expect(await steps()).toEqual([1])
  expect(await readdir(join(run, 'checkpoints'))).toEqual(['step-0000001'])
})

test('a write that fails half way leaves nothing of itself and keeps what was there', async () => {
  await save(1)
  const broken = { ...state(2), trainedMs: Number.NaN }
  await expect(writeCheckpoint(run, { state: broken, model: [], optimizer: [] }, null)).rejects.toThrow()
  expect(await readdir(join(run, 'checkpoints'))).toEqual(['step-0000001'])
  expect(await steps()).toEqual([1])
})

test('the same step again, now evaluated: replaced; a crash between the two renames loses nothing', async () => {
  await save(1)
  await save(1, 0.5)
  expect((await resolveCheckpoint(run, 1)).state.evaluation?.mse).toBe(0.5)
  const parent = join(run, 'checkpoints')
  expect(await readdir(parent)).toEqual(['step-0000001'])
  await rename(join(parent, 'step-0000001'), join(parent, '.replaced-step-0000001-abcd'))
  await sweepCheckpoints(run)
  expect((await resolveCheckpoint(run, 'last')).step).toBe(1)
})

describe('damage', () => {
  beforeEach(async () => {
    await save(1, 0.1, 1)
    await save(2, 0.2, 1)
  })

  async function expectFallback(what: string): Promise<void> {
    const last = await resolveCheckpoint(run, 'last')
    expect({ what, step: last.step, rejected: last.rejected.map(({ step }) => step) }).toEqual({
      what,
      step: 1,
      rejected: [2],
    })
    expect(await steps()).toEqual([1])
    await expect(resolveCheckpoint(run, 2)).rejects.toMatchObject({ code: 'corrupt' })
  }

  test('a flipped bit anywhere in any file is found, and the previous checkpoint is used', async () => {
    for (const name of names) {
      const whole = await readFile(file(2, name))
      const stride = Math.max(1, Math.floor(whole.length / 60))
      for (let at = 0; at < whole.length; at += stride) {
        // Spaces of an indented manifest are not part of what it says.
        if (name === 'MANIFEST.json' && /\s/.test(String.fromCharCode(whole[at] ?? 0))) continue
        const changed = Buffer.from(whole)
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
        await writeFile(file(2, name), changed)
        const last = await resolveCheckpoint(run, 'last')
        expect({ name, at, step: last.step }).toEqual({ name, at, step: 1 })
      }
      await writeFile(file(2, name), whole)
    }
    expect((await resolveCheckpoint(run, 'last')).step).toBe(2)
  })

  test('a truncated, empty, missing or longer file', async () => {
    for (const name of names) {
      const whole = await readFile(file(2, name))
      for (let part = 0; part < 64; part += 9) {
        await writeFile(file(2, name), whole.subarray(0, Math.floor((whole.length * part) / 64)))
        await expectFallback(`${name} cut at ${part}/64`)
      }
      await rm(file(2, name))
      await expectFallback(`${name} missing`)
      await writeFile(file(2, name), Buffer.concat([whole, Buffer.from([0])]))
      await expectFallback(`${name} longer`)
      await writeFile(file(2, name), whole)
    }
  })

  test('swapped files, and a checkpoint under another step’s name', async () => {
    await rename(file(2, 'model.safetensors'), file(2, 'x'))
    await rename(file(2, 'optimizer.safetensors'), file(2, 'model.safetensors'))
    await rename(file(2, 'x'), file(2, 'optimizer.safetensors'))
    await expectFallback('swapped')
    await rm(join(run, 'checkpoints/step-0000002'), { recursive: true })
    await cp(join(run, 'checkpoints/step-0000001'), join(run, 'checkpoints/step-0000002'), {
      recursive: true,
    })
    await expectFallback('renamed')
  })

  test('links out of the run folder are not followed', async () => {
    const outside = join(run, 'outside')
    await rename(join(run, 'checkpoints/step-0000002'), outside)
    await symlink(outside, join(run, 'checkpoints/step-0000002'))
    expect(await steps()).toEqual([1])
    await rm(join(run, 'checkpoints/step-0000002'))
    await cp(outside, join(run, 'checkpoints/step-0000002'), { recursive: true })
    expect(await steps()).toEqual([1, 2])
    await rm(file(2, 'model.safetensors'))
    await symlink(join(outside, 'model.safetensors'), file(2, 'model.safetensors'))
    expect(await steps()).toEqual([1])
  })

  test('the best one damaged: the next best', async () => {
    await truncate(file(1, 'model.safetensors'), 10)
    expect(await resolveCheckpoint(run, 'best')).toMatchObject({ step: 2, rejected: [{ step: 1 }] })
  })

  test('all damaged: it says so', async () => {
    for (const step of [1, 2]) await truncate(file(step, 'model.safetensors'), 10)
    await expect(resolveCheckpoint(run, 'last')).rejects.toMatchObject({
      code: 'corrupt',
      message: /step-0000002/,
    })
    expect(await steps()).toEqual([])
  })

  test('a newer version is not damage', async () => {
    const manifest = JSON.parse(await readFile(file(2, 'MANIFEST.json'), 'utf8')) as object
    await writeFile(file(2, 'MANIFEST.json'), JSON.stringify({ ...manifest, schemaVersion: 99 }))
    await expect(resolveCheckpoint(run, 'last')).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('damaged ones are set aside and go with the next good one; leftovers are swept', async () => {
    await truncate(file(2, 'model.safetensors'), 10)
    const { rejected } = await resolveCheckpoint(run, 'last')
    await setAside(run, rejected)
    await mkdir(join(run, 'checkpoints/.tmp-step-0000003-abcd'))
    await sweepCheckpoints(run)
    const left = await readdir(join(run, 'checkpoints'))
    expect(left).toHaveLength(2)
    expect(left.some((name) => name.startsWith('.corrupt-step-0000002-'))).toBe(true)
    await save(2, 0.2, 1)
    expect((await readdir(join(run, 'checkpoints'))).sort()).toEqual(['step-0000001', 'step-0000002'])
  })
})
