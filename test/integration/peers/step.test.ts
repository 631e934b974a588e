// The peer of the benchmarks builds the networks that Gyre builds: as many numbers in every part, and a step that learns.
// Needs PyTorch; without it the test says so.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig, type ConfigInput } from '#shared/config/index'
import { describeNetwork } from '#main/model/describe'
import { peerSide } from '../../bench/speed/sides'
import { peersPython } from '../../support/peers'

const python = await peersPython()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-step-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const tiny: ConfigInput = { imageSize: 32, batchSize: 2, channels: 16, codebookSize: 32, codeDim: 8 }
const cases: [string, string, ConfigInput][] = [
  ['quick', 'channels-last', { ...tiny, estimator: 'rotation' }],
  [
    'cnn of three levels',
    'eager',
    { ...tiny, network: 'cnn', channelMultipliers: [1, 2, 4], estimator: 'ste' },
  ],
  [
    'cnn of five levels with attention',
    'bf16+channels-last',
    { ...tiny, network: 'cnn', channelMultipliers: [1, 1, 2, 2, 4], residualBlocks: 1, attention: [8, 2] },
  ],
  ['cnn with cosine', 'bf16', { ...tiny, network: 'cnn', channelMultipliers: [1, 2], distance: 'cosine' }],
]

describe('step.py', () => {
  test.for(cases)('%s, %s', async ([, variant, input], { skip }) => {
    if ('missing' in python) return skip(python.missing)
    const config = parseConfig({ ...input, learningRate: 0.002 })
    const configFile = join(folder, `${Math.random().toString(36).slice(2)}.json`)
    await writeFile(configFile, JSON.stringify(config))
    const { parameters } = describeNetwork(config)
    const side = await peerSide({ python, variant, configFile, compiled: folder, parameters }).open()
    try {
      const first = await side.take(1)
      const later = await side.take(8)
      expect(later.stepMs).toHaveLength(8)
      expect(later.loss).toBeLessThan(first.loss)
      expect(later.peakRssBytes).toBeGreaterThan(50e6)
    } finally {
      await side.close()
    }
  })

  test('another model is refused', async ({ skip }) => {
    if ('missing' in python) return skip(python.missing)
    const configFile = join(folder, 'other.json')
    await writeFile(configFile, JSON.stringify(parseConfig(tiny)))
    const side = await peerSide({
      python,
      variant: 'eager',
      configFile,
      compiled: folder,
      parameters: 7,
    }).open()
    await expect(side.take(1)).rejects.toThrow('Gyre’s model 7')
    await side.close()
  })
})
