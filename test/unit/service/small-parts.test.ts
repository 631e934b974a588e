import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultConfig, parseConfig, presets } from '#shared/config/index'
import type { DatasetFile, MetricsRecord } from '#shared/contract/files'
import { contract } from '#shared/contract/index'
import { Bus } from '../../../src-main/service/bus'
import { newDatasetId } from '../../../src-main/service/datasets'
import { StepTimes, stepShape } from '../../../src-main/service/measured'
import { metricsCsv } from '../../../src-main/service/metrics-csv'
import { startPool } from '../../../src-main/service/pool'
import { estimateMemory, preflightOf } from '../../../src-main/service/preflight'
import { SettingsStore } from '../../../src-main/service/settings'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-parts-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

it('keeps settings, one change after the other, and survives a damaged file', async () => {
  const bus = new Bus()
  const seen: unknown[] = []
  bus.bind((_topic, _name, payload) => void seen.push(payload))
  const file = join(root, 'settings.json')
  const settings = new SettingsStore(file, bus)
  expect(await settings.get()).toEqual({
    appearance: 'system',
    engine: 'auto',
    trainerIsolation: 'thread',
    welcomeDismissed: false,
  })
  // As they arrive from the window: nothing that is not given takes a default's place.
  const change = contract.settings.set.input
  const given = [{ appearance: 'dark' }, { engine: 'wasm' }, { trainerIsolation: 'process' }]
  expect(given.map((one) => change.parse(one))).toEqual(given)
  await Promise.all([settings.set({ appearance: 'dark' }), settings.set({ engine: 'wasm' })])
  expect(await new SettingsStore(file, bus).get()).toMatchObject({ appearance: 'dark', engine: 'wasm' })
  expect(seen).toHaveLength(2)
  await writeFile(file, '{"appearance": "dar')
  expect(await settings.get()).toMatchObject({ appearance: 'system' })
})

it('remembers the time of a step by what decides it', async () => {
  const times = new StepTimes(join(root, 'measured.json'))
  expect(await times.secondsPerStep(defaultConfig, 'wasm')).toBeNull()
  await times.remember(defaultConfig, 'wasm', 0.25)
  await times.remember(defaultConfig, 'wasm', Number.NaN)
  expect(await times.secondsPerStep({ ...defaultConfig, steps: 9, seed: 7 }, 'wasm')).toBe(0.25)
  expect(await times.secondsPerStep({ ...defaultConfig, batchSize: 8 }, 'wasm')).toBeNull()
  expect(await times.secondsPerStep(defaultConfig, 'tensorflow-cpu')).toBeNull()
  expect(stepShape({ ...defaultConfig, channels: 64 }, 'x')).not.toBe(stepShape(defaultConfig, 'x'))
})

describe('preflight', () => {
  const dataset = {
    imageCount: 1000,
    minWidth: 40,
    maxWidth: 90,
    minHeight: 50,
    maxHeight: 90,
  } as DatasetFile
  const times = { secondsPerStep: () => Promise.resolve(null) } as unknown as StepTimes
  const of = (config: object) =>
    preflightOf({ config: parseConfig(config), dataset, engineId: 'wasm' }, times)

  it('counts what the published A/B network has', async () => {
    const config = presets.find(({ id }) => id === 'quick-look')?.config ?? {}
    const found = await of(config)
    expect(found.tokens).toEqual([16, 16])
    // 64·64·3 bytes against 16·16 tokens of 10 bits.
    expect(found.compressionRatio).toBeCloseTo((64 * 64 * 24) / (256 * 10), 10)
    expect(found).toMatchObject({ trainImages: 900, validationImages: 100, stepsPerEpoch: 900 / 32 })
    expect(found.secondsPerStep).toBeNull()
  })

  it('warns of what the images do not give, and forbids nothing', async () => {
    const found = await of({ batchSize: 1000, imageSize: 64 })
    expect(found.warnings.map(({ field }) => field)).toEqual(
      expect.arrayContaining(['batchSize', 'imageSize']),
    )
  })

  it('asks for more memory for more of anything', () => {
    const base = estimateMemory(defaultConfig)
    for (const change of [{ batchSize: 64 }, { imageSize: 128 }, { channels: 256 }, { codebookSize: 65_536 }])
      expect(estimateMemory({ ...defaultConfig, ...change })).toBeGreaterThan(base)
  })
})

it('writes curves as a table with the same columns in every row', () => {
  const common = { step: 4, epoch: 0.5, trainedMs: 10 }
  const records: MetricsRecord[] = [
    {
      ...{ kind: 'train', ...common, loss: 1, mse: 0.5, commitmentLoss: 0.25, quantizationError: 2 },
      ...{ learningRate: 1e-4, gradientNorm: 3, stepsPerSecond: 2, imagesPerSecond: 8, dataWaitFraction: 0 },
    },
    { kind: 'event', step: 4, trainedMs: 10, event: 'checkpoint', message: 'a, "b"' },
    {
      ...{ kind: 'evaluation', ...common, best: true },
      validation: {
        ...{ mse: 0.1, psnr: 16, usage: 0.5, usagePer256: 0.4, perplexity: 5 },
        ...{ quantizationError: 1, commitmentLoss: 1, images: 6 },
      },
    },
  ]
  const [header = '', ...rows] = metricsCsv(records).trimEnd().split('\r\n')
  const columns = header.split(',')
  expect(rows).toHaveLength(2)
  for (const row of rows) expect(row.split(',')).toHaveLength(columns.length)
  expect(rows[0]?.split(',')[columns.indexOf('mse')]).toBe('0.5')
  expect(rows[1]?.split(',')[columns.indexOf('mse')]).toBe('')
  expect(rows[1]?.split(',')[columns.indexOf('validation.perplexity')]).toBe('5')
})

it('works through a list a few at a time, in order', async () => {
  let [now, most] = [0, 0]
  const found = await startPool([3, 1, 2, 5, 4], 2, async (value) => {
    most = Math.max(most, ++now)
    await new Promise((resolve) => setImmediate(resolve))
    now -= 1
    return value * 10
  })
  expect(found).toEqual([30, 10, 20, 50, 40])
  expect(most).toBe(2)
  await expect(startPool([1], 2, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
})

it('makes readable ids that are safe names', () => {
  expect(newDatasetId('Été à la plage!')).toMatch(/^ete-a-la-plage-[0-9a-f]{10}$/)
  expect(newDatasetId('写真')).toMatch(/^images-[0-9a-f]{10}$/)
  expect(newDatasetId('a', '/x/a')).toBe(newDatasetId('a', '/x/a'))
  expect(newDatasetId('a', '/x/a')).not.toBe(newDatasetId('a', '/y/a'))
})
