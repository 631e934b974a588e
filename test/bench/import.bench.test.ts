// Images per second of import (scan with a full decode) and of packing: the sample's 3,786 small PNGs, and photographs
// of 12 megapixels made here. Measures and reports; asserts nothing about time.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { createBatchSource, importDataset, openPack, packDataset, sampleFolder } from '#main/data/index'
import { median } from '#shared/median'
import { report } from './report'

const rounds = Number(process.env.GYRE_BENCH_ROUNDS ?? 5)
const photographs = Number(process.env.GYRE_BENCH_PHOTOGRAPHS ?? 40)
const transform: Transform = { imageSize: 64, resize: 'crop', background: '#ffffff', channelsIn: 3 }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-bench-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Processor time says the same on a busy machine too. */
async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; cpuMs: number; result: T }> {
  const startMs = performance.now()
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { ms: performance.now() - startMs, cpuMs: (user + system) / 1000, result }
}

async function measure(source: string): Promise<Record<string, number>> {
  const importMs: number[] = []
  const packMs: number[] = []
  const importCpuMs: number[] = []
  const packCpuMs: number[] = []
  let images = 0
  for (let round = 0; round < rounds; round++) {
    const datasetFolder = join(folder, `set-${round}`)
    const options = { datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' } as const
    const imported = await timed(() => importDataset(options))
    const packed = await timed(() => packDataset({ datasetFolder, transform }))
    images = imported.result.imageCount
    importMs.push(imported.ms)
    packMs.push(packed.ms)
    importCpuMs.push(imported.cpuMs)
    packCpuMs.push(packed.cpuMs)
    if (round < rounds - 1) await rm(datasetFolder, { recursive: true })
  }
  const perImage = (ms: number): number => Math.round((ms / images) * 1000) / 1000
  const perSecond = (ms: number): number => Math.round((images / ms) * 1e4) / 10
  return {
    images,
    importMs: Math.round(median(importMs)),
    packMs: Math.round(median(packMs)),
    importImagesPerSecond: perSecond(median(importMs)),
    packImagesPerSecond: perSecond(median(packMs)),
    importCpuMsPerImage: perImage(median(importCpuMs)),
    packCpuMsPerImage: perImage(median(packCpuMs)),
    bothImagesPerSecond: perSecond(median(importMs) + median(packMs)),
  }
}

/** Noise that is smooth like a photograph, so that the files have a photograph's size. */
async function makePhotographs(target: string): Promise<void> {
  await mkdir(target)
  for (let i = 0; i < photographs; i++) {
    const small = Uint8Array.from(
      { length: 400 * 300 * 3 },
      (_, at) => (at * (7919 + i) + (at >> 5) * 31) & 255,
    )
    const photograph = sharp(small, { raw: { width: 400, height: 300, channels: 3 } })
      .resize(4000, 3000)
      .jpeg()
    await writeFile(join(target, `${i}.jpg`), await photograph.toBuffer())
  }
}

describe('import', () => {
  it('of the sample and of photographs', async () => {
    const sample = await measure(sampleFolder().folder)
    await rm(join(folder, `set-${rounds - 1}`), { recursive: true })
    await makePhotographs(join(folder, 'photographs'))
    const large = await measure(join(folder, 'photographs'))
    expect([sample.images, large.images]).toEqual([3786, photographs])
    await report('import', { rounds, sample, photographs: large })
  })

  it('of batches from a pack', async () => {
    const datasetFolder = join(folder, 'batches')
    const source = sampleFolder().folder
    await importDataset({ datasetFolder, source, kind: 'sample', id: 'set', name: 'Set' })
    const pack = openPack(await packDataset({ datasetFolder, transform }))
    const train = Int32Array.from({ length: pack.info.count }, (_, i) => i)
    const figures: Record<string, number> = {}
    for (const augmented of [false, true]) {
      const batches = createBatchSource(pack, train, {
        batchSize: 32,
        sampling: 'epoch',
        seed: 0,
        flip: augmented,
        randomCrop: augmented,
      })
      const { ms } = await timed(async () => {
        for (let i = 0; i < 500; i++) await batches.next()
      })
      await batches.close()
      figures[augmented ? 'augmentedMsPerBatch' : 'plainMsPerBatch'] = Math.round((ms / 500) * 1000) / 1000
    }
    pack.close()
    await report('batches', { batchSize: 32, imageSize: 64, ...figures })
  })
})
