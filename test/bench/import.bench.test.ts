// Images per second of a whole import — listing, reading, checking, packing, on disk — against Pillow in two processes on
// the same files: the sample's 3,786 small PNGs, and photographs of 12 megapixels. Rounds of both alternate. Measures
// and reports; asserts nothing about time. Needs the built decoder: npm run bench:import.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { median } from '#shared/median'
import { createDecoderPool, importDataset, sampleFolder, type DecoderPool } from '#main/data/index'
import { photographs } from './photographs'
import { startPillow, type Pillow } from './pillow'
import { report } from './report'

const rounds = Number(process.env.GYRE_BENCH_ROUNDS ?? 15)
const photographCount = Number(process.env.GYRE_BENCH_PHOTOGRAPHS ?? 300)
/** As in pillow_import.py. */
const threads = 2
const transform: Transform = { imageSize: 64, resize: 'crop', background: '#ffffff', channelsIn: 3 }
const entry = resolve(import.meta.dirname, '../../dist/main/decoder.js')

let folder: string
let pool: DecoderPool
let pillow: Pillow | { missing: string }
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-bench-'))
  pool = createDecoderPool({ entry, threads })
  pillow = await startPillow()
})
afterAll(async () => {
  if ('run' in pillow) pillow.close()
  await pool.close()
  await rm(folder, { recursive: true, force: true })
})

interface Measured {
  images: number
  seconds: number
  cpuSeconds: number | null
}

async function gyre(source: string, fresh: boolean): Promise<Measured> {
  const datasetFolder = join(folder, 'set')
  const before = process.cpuUsage()
  const startMs = performance.now()
  const decoders = fresh ? createDecoderPool({ entry, threads }) : pool
  const about = { datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' } as const
  const { imageCount } = await importDataset({ ...about, prepare: transform, decoders })
  const seconds = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage(before)
  if (decoders !== pool) await decoders.close()
  await rm(datasetFolder, { recursive: true })
  return { images: imageCount, seconds, cpuSeconds: (user + system) / 1e6 }
}

function summary(all: readonly Measured[]) {
  const images = all[0]?.images ?? 0
  const seconds = all.map((one) => one.seconds)
  const cpu = all.flatMap(({ cpuSeconds }) => (cpuSeconds === null ? [] : [cpuSeconds]))
  return {
    imagesPerSecond: images / median(seconds),
    bestImagesPerSecond: images / Math.min(...seconds),
    cpuMicrosecondsPerImage: cpu.length > 0 ? (median(cpu) / images) * 1e6 : null,
    seconds,
  }
}

/** Both sides in turn; the first round of each warms up the disk's cache and is not counted. */
async function compare(source: string, count: number) {
  const sides: Record<'gyre' | 'pillow', Measured[]> = { gyre: [], pillow: [] }
  const fresh: Record<'gyre' | 'pillow', Measured[]> = { gyre: [], pillow: [] }
  for (let round = 0; round <= count; round++) {
    for (const isFresh of [false, true]) {
      const into = isFresh ? fresh : sides
      const ours = await gyre(source, isFresh)
      const theirs = 'run' in pillow ? await pillow.run(source, join(folder, 'pillow.bin'), isFresh) : null
      if (round === 0) continue
      into.gyre.push(ours)
      if (theirs) into.pillow.push(theirs)
    }
  }
  const ratio = (one: typeof sides): number | null =>
    one.pillow.length > 0 ? median(one.pillow.map((p, i) => p.seconds / (one.gyre[i]?.seconds ?? NaN))) : null
  const both = (one: typeof sides) => ({
    gyre: summary(one.gyre),
    pillow: one.pillow.length > 0 ? summary(one.pillow) : null,
    medianRatio: ratio(one),
  })
  return { images: sides.gyre[0]?.images, rounds: count, ...both(sides), withStart: both(fresh) }
}

describe('import against Pillow', () => {
  it('of the sample and of photographs', async () => {
    const sample = await compare(sampleFolder().folder, rounds)
    const large = await compare(await photographs(photographCount), Math.max(2, Math.floor(rounds / 5)))
    expect([sample.images, large.images]).toEqual([3786, photographCount])
    const missing = 'missing' in pillow ? { pillowMissing: pillow.missing } : {}
    await report('import', { threads, transform, sample, photographs: large, ...missing })
  })
})
