// Every quantizer through the whole trainer: it trains, measures, inspects, encodes, decodes and goes on exactly. Codes and
// errors of several codebooks are computed a second time here, plainly, from the checkpoint and the latents.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { totalCodes } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import { openPack } from '#main/data/pack-reader'
import { splitIndices } from '#main/data/split'
import { exportSafetensors } from '#main/export/model'
import { readSafetensors } from '#main/export/safetensors'
import { readTensors, resolveCheckpoint } from '#main/train/checkpoint'
import { nearestOf, readInspection } from '#main/train/inspection'
import {
  configure,
  context,
  createWorld,
  startTrainer,
  tinyConfig,
  weightsOf,
  type InProcess,
  type World,
} from './world'

const base = { ...tinyConfig, steps: 8, checkpointEvery: 4, evaluateEvery: 8 }
const trained = { codebookUpdate: 'gradient' } as const
const H = base.imageSize / 4

let world: World
let packed: string
let trainer: InProcess

beforeAll(async () => {
  world = await createWorld()
  packed = await world.pack()
  trainer = await startTrainer('auto')
})
afterAll(() => world.close())

const quantizers: [string, Partial<RunConfig>][] = [
  ['residual', { quantizer: 'residual', quantizerDepth: 3 }],
  ['grouped', { quantizer: 'grouped', groups: 2, deadCodeThreshold: 0.5, reviveFrom: 'usage' }],
  ['simvq', { quantizer: 'simvq', estimator: 'ste', ...trained }],
  ['ibq', { quantizer: 'ibq', ...trained }],
  ['optvq', { quantizer: 'optvq', estimator: 'ste' }],
  ['soft_convex', { quantizer: 'soft_convex', ...trained }],
  ['fsq', { quantizer: 'fsq', fsqLevels: [4, 3], codeDim: 2, codebookSize: 12 }],
  ['lfq', { quantizer: 'lfq', codebookSize: 16 }],
  ['projection', { latentDim: 6 }],
  ['sf_diveq', { estimator: 'sf_diveq', ...trained }],
]

describe.each(quantizers)('%s', (name, change) => {
  const config: RunConfig = { ...base, ...change }
  const books = name === 'residual' ? 3 : name === 'grouped' ? 2 : 1
  const width = config.latentDim || config.codeDim
  const discrete = !['soft_convex', 'sf_diveq'].includes(name)
  const at = { checkpoint: 'last', packed: '' } as const
  let runFolder: string
  let tokens: Int32Array
  let latents: Float32Array

  beforeAll(async () => {
    runFolder = await world.run(name, config)
    const outcome = await trainer.call.train({ runFolder, packed }, context)
    expect(outcome.status).toBe('finished')
    const out = join(world.folder, `${name}.safetensors`)
    await trainer.call.encode({ ...at, runFolder, packed, out }, context)
    const { tensors } = await readSafetensors(out)
    expect(tensors.get('tokens')?.shape).toEqual([40, H, H, ...(books > 1 ? [books] : [])])
    expect(tensors.get('latents')?.shape).toEqual([40, H, H, width])
    tokens = tensors.get('tokens')?.data as Int32Array
    latents = tensors.get('latents')?.data as Float32Array
  })

  test('counts every code once per patch and codebook', async () => {
    const out = join(runFolder, 'inspection', 'all')
    await trainer.call.inspect({ ...at, runFolder, packed, split: 'all', nearest: 2, out }, context)
    const inspection = await readInspection(out)
    expect(inspection.summary.codebookSize).toBe(totalCodes(config))
    const counts = new Array<number>(totalCodes(config)).fill(0)
    tokens.forEach((token, i) => {
      const number = (i % books) * config.codebookSize + token
      counts[number] = (counts[number] ?? 0) + 1
    })
    expect([...inspection.counts]).toEqual(counts)
    const last = counts.findLastIndex((count) => count > 0)
    const [nearest] = nearestOf(inspection, last, 1)
    expect(nearest?.row).toBeLessThan(H)
    const tiles = await trainer.call.decodeCodes(
      { runFolder, checkpoint: 'last', indices: [0, last] },
      context,
    )
    expect(tiles.pixels).toHaveLength(2 * tiles.size ** 2 * 3)
  })

  test('decodes tokens to the pictures of the last evaluation', async () => {
    const out = join(world.folder, `${name}-decoded`)
    const file = join(world.folder, `${name}.safetensors`)
    await trainer.call.decode({ runFolder, checkpoint: 'last', tokens: file, out }, context)
    const pack = openPack(packed)
    const { validation } = splitIndices(pack.files(), config.validationFraction)
    const first = pack.files()[validation[0] ?? 0] ?? ''
    pack.close()
    const raw = async (path: string): Promise<Buffer> =>
      sharp(await readFile(path))
        .raw()
        .toBuffer()
    const decoded = await raw(join(out, first))
    const sampled = await raw(join(runFolder, 'samples', 'step-0000008-0.png'))
    // Rounding may differ by one where a batch is of another size.
    const most = decoded.reduce((far, byte, i) => Math.max(far, Math.abs(byte - (sampled[i] ?? 0))), 0)
    // Tokens of a quantizer that is not discrete only name the nearest codes.
    if (discrete) expect(most).toBeLessThanOrEqual(1)
    else expect(decoded).toHaveLength(sampled.length)
  })

  test('is exported with a codebook', async () => {
    const { folder, state } = await resolveCheckpoint(runFolder, 'last')
    const run = { id: name, name, config, engine: null }
    const out = runFolder
    const { tensors } = await exportSafetensors({ checkpointFolder: folder, step: state.step, run, out })
    const shape = tensors.find((one) => one.name === 'codebook')?.shape
    if (name === 'residual') expect(shape).toEqual([3, config.codebookSize, config.codeDim])
    else if (name === 'grouped') expect(shape).toEqual([2, config.codebookSize, config.codeDim / 2])
    else expect(shape).toEqual([config.codebookSize, config.codeDim])
  })

  test('takes the nearest codes, and says how far they are', async () => {
    if (!['residual', 'grouped', 'simvq', 'optvq', 'fsq', 'lfq'].includes(name)) return
    const { folder } = await resolveCheckpoint(runFolder, 'last')
    const stored = (await readTensors(folder, 'model', ['codebook'])).get('codebook')
    const dim = stored?.shape.at(-1) ?? 0
    const code = (book: number, index: number): Float32Array => {
      const start = (book * config.codebookSize + index) * dim
      return (stored?.data as Float32Array).subarray(start, start + dim)
    }
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Array.from(a).reduce((sum, x, d) => sum + (x - (b[d] ?? 0)) ** 2, 0)
    let error = 0
    const pack = openPack(packed)
    const { validation } = splitIndices(pack.files(), config.validationFraction)
    pack.close()
    for (let vector = 0; vector < tokens.length / books; vector++) {
      let left = latents.slice(vector * width, (vector + 1) * width)
      let whole = 0
      for (let book = 0; book < books; book++) {
        const chosen = code(book, tokens[vector * books + book] ?? -1)
        const asked = name === 'grouped' ? left.subarray(book * dim, (book + 1) * dim) : left
        const far = distance(asked, chosen)
        // A grid is not sought in the encoder's own space.
        if (name !== 'fsq')
          for (let other = 0; other < config.codebookSize; other++)
            expect(far).toBeLessThanOrEqual(distance(asked, code(book, other)) * (1 + 1e-4) + 1e-7)
        if (name === 'residual') left = left.map((x, d) => x - (chosen[d] ?? 0))
        whole = name === 'residual' ? left.reduce((sum, x) => sum + x * x, 0) : whole + far
      }
      if (validation.includes(Math.floor(vector / (H * H)))) error += whole / validation.length / (H * H)
    }
    const input = { runFolder, checkpoint: 'last', packed, split: 'validation' } as const
    const { validation: metrics } = await trainer.call.evaluate(input, context)
    expect(Math.abs(metrics.quantizationError - error)).toBeLessThan(1e-4 * error)
  })
})

test.each<[string, Partial<RunConfig>]>([
  ['diveq', { estimator: 'diveq', ...trained, deadCodeThreshold: 0.5, reviveFrom: 'usage' }],
  ['nsvq', { estimator: 'nsvq', ...trained }],
  ['sf_diveq-exact', { estimator: 'sf_diveq', ...trained }],
  ['adaptive', { estimator: 'rotation_adaptive' }],
  ['residual-exact', { quantizer: 'residual', deadCodeThreshold: 0.5 }],
  ['simvq-exact', { quantizer: 'simvq', estimator: 'ste', ...trained }],
])('%s: a run that was stopped goes on bit for bit', async (name, change) => {
  const [whole, halves] = [
    await world.run(`${name}-whole`, { ...base, ...change }),
    await world.run(`${name}-halves`, { ...base, ...change, steps: 4 }),
  ]
  await trainer.call.train({ runFolder: whole, packed }, context)
  await trainer.call.train({ runFolder: halves, packed }, context)
  await configure(halves, { steps: 8 })
  await trainer.call.train({ runFolder: halves, packed }, context)
  expect(await weightsOf(halves, 8)).toEqual(await weightsOf(whole, 8))
})
