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

type Side = 'gyre' | 'gyreFromStart' | 'pillow' | 'pillowFromStart' | 'pillowWhole'

/** All sides in turn; the first round warms up the disk's cache and is not counted. */
async function compare(source: string, count: number, hasJpegs: boolean) {
  const measured: Record<Side, Measured[]> = {
    gyre: [],
    gyreFromStart: [],
    pillow: [],
    pillowFromStart: [],
    pillowWhole: [],
  }
  const theirs = (fresh: boolean, draft: boolean) => async (): Promise<Measured | null> =>
    'run' in pillow ? pillow.run(source, join(folder, 'pillow.bin'), { fresh, draft }) : null
  const sides: [Side, () => Promise<Measured | null>][] = [
    ['gyre', () => gyre(source, false)],
    ['pillow', theirs(false, true)],
    ['gyreFromStart', () => gyre(source, true)],
    ['pillowFromStart', theirs(true, true)],
    // Only a JPEG can be scaled down while it is decoded.
    ...(hasJpegs ? [['pillowWhole', theirs(false, false)] as [Side, () => Promise<Measured | null>]] : []),
  ]
  for (let round = 0; round <= count; round++)
    // Who begins changes.
    for (const [side, measure] of round % 2 === 0 ? sides : sides.toReversed()) {
      const result = await measure()
      if (round > 0 && result) measured[side].push(result)
    }
  const ratio = (ours: Side, other: Side): number | null =>
    measured[other].length > 0
      ? median(measured[other].map((p, i) => p.seconds / (measured[ours][i]?.seconds ?? NaN)))
      : null
  return {
    images: measured.gyre[0]?.images,
    rounds: count,
    ratio: ratio('gyre', 'pillow'),
    ratioFromStart: ratio('gyreFromStart', 'pillowFromStart'),
    ratioToWhole: ratio('gyre', 'pillowWhole'),
    sides: Object.fromEntries(
      Object.entries(measured).flatMap(([side, all]) => (all.length > 0 ? [[side, summary(all)]] : [])),
    ),
  }
}

describe('import against Pillow', () => {
  it('of the sample and of photographs', async () => {
    const sample = await compare(sampleFolder().folder, rounds, false)
    const many = await photographs(photographCount)
    const large = await compare(many, Math.max(2, Math.floor(rounds / 5)), true)
    expect([sample.images, large.images]).toEqual([3786, photographCount])
    const peer = 'missing' in pillow ? { pillowMissing: pillow.missing } : { pillow: pillow.version }
    await report('import', { threads, transform, sample, photographs: large, ...peer })
  })
})
