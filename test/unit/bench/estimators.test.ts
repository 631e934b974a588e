// The table of estimators: every one is in it, with settings that Gyre accepts, and says mean, spread and failures.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { applySettings, checkConfig, type ConfigInput } from '#shared/config/index'
import { estimatorIds } from '#shared/config/schema'
import { estimatorTable, variants } from '../../../resources/scripts/estimator-table.mjs'

const settingsFile = resolve(import.meta.dirname, '../../../docs/benchmarks/ab/config.json')

test('every estimator is trained, with settings that are accepted', async () => {
  const base = JSON.parse(await readFile(settingsFile, 'utf8')) as ConfigInput
  const euclidean = variants.filter(({ about }) => about.distance === 'euclidean')
  expect(euclidean.map(({ about }) => about.estimator).sort()).toEqual([...estimatorIds].sort())
  expect(variants.filter(({ about }) => about.distance === 'cosine').map(({ id }) => id)).toEqual([
    'ste-cosine',
    'rotation-cosine',
    'rotation_adaptive-cosine',
  ])
  for (const { settings, about } of variants) {
    const config = applySettings(base, settings)
    expect(config).toMatchObject(about)
    expect(checkConfig(config).errors).toEqual([])
  }
})

test('a row is the mean with the least and the largest; a run that diverged is counted', () => {
  const validation = { mse: 0.016, usage: 0.2, perplexity: 84, quantizationError: 1.25 }
  const run = { estimator: 'ste', distance: 'euclidean', seed: 0, validation }
  const runs = [
    run,
    { ...run, seed: 1, validation: { ...validation, mse: 0.018, usage: 0.1 } },
    { ...run, seed: 2, validation: null },
    { ...run, estimator: 'gumbel', validation: null },
  ]
  expect(estimatorTable({ runs }).split('\n').slice(2)).toEqual([
    '| `ste` | euclidean | 3, of which 1 diverged | 0.0170 (0.0160–0.0180) | 15.0 (10.0–20.0) | 84 (84–84) | 1.25 (1.25–1.25) |',
    '| `gumbel` * | euclidean | 1, of which 1 diverged | – | – | – | – |',
  ])
  expect(estimatorTable({ runs: [] })).toBe('Not measured yet.')
})
