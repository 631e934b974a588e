import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import { readCheckpoint, readConfig, readNearest } from '../../../src-main/cli/arguments'
import { UsageError } from '../../../src-main/cli/errors'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-arguments-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function file(name: string, value: unknown): Promise<string> {
  await writeFile(join(root, name), typeof value === 'string' ? value : JSON.stringify(value))
  return join(root, name)
}

describe('configuration', () => {
  it('is the defaults when nothing is said', async () => {
    expect(await readConfig({})).toEqual(defaultConfig)
  })

  it('lets the file win over the preset, and settings over the file', async () => {
    const config = await file('a.json', { steps: 7, codeDim: 8, batchSize: 2 })
    const found = await readConfig({ preset: 'quick-look', config, set: ['batchSize=3'], steps: 9, seed: 4 })
    expect(found).toMatchObject({ codebookSize: 1024, codeDim: 8, batchSize: 3, steps: 9, seed: 4 })
  })

  it('takes lists, booleans and dotted keys', async () => {
    const set = ['network=cnn', 'channelMultipliers=1,2,4', 'flip=true', 'optimizer.learningRate=1e-4']
    const found = await readConfig({ set })
    expect(found).toMatchObject({ channelMultipliers: [1, 2, 4], flip: true, learningRate: 1e-4 })
  })

  it('reads the settings out of a run.json or an export’s config.json', async () => {
    const config = await file('run.json', { id: 'x', config: { ...defaultConfig, steps: 11 } })
    expect((await readConfig({ config })).steps).toBe(11)
  })

  it.each([
    ['nonsense', 'not json'],
    ['list', [1]],
    ['unknown key', { codeBookSize: 3 }],
    ['out of range', { codebookSize: 1 }],
    ['rules across fields', { warmupSteps: 50, steps: 10 }],
  ])('calls %s in a file wrong usage', async (name, value) => {
    const config = await file(`${name}.json`, value)
    await expect(readConfig({ config })).rejects.toBeInstanceOf(UsageError)
  })
})

it('reads checkpoints and counts', () => {
  expect(['last', 'best', '0', '1500'].map(readCheckpoint)).toEqual(['last', 'best', 0, 1500])
  expect(() => readCheckpoint('-1')).toThrow('last, best or a step')
  expect([readNearest('n=8'), readNearest('3'), readNearest('0')]).toEqual([8, 3, 0])
  expect(() => readNearest('n=65')).toThrow('0 to 64')
})
