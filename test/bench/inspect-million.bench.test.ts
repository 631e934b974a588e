// A million encodings: one look at the codebook over that many, and k-means on them, with the memory that takes beside a
// sixteenth of them. Measures and reports; asserts nothing about time.
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseConfig } from '#shared/config/index'
import { createBatchSource, openPack, type PackReader } from '#main/data/index'
import { loadEngine, type Engine } from '#main/engine/index'
import { createModel, createRandom, startPasses, type VqModel } from '#main/model/index'
import { kmeansCodes } from '#main/model/quantize/initial-codes'
import { encodingsOf } from '#main/train/encodings'
import { eagerForward } from '#main/train/forward'
import { inspect } from '#main/train/inspect'
import type { CheckpointState } from '#main/train/state'
import { CodeWindows } from '#main/train/windows'
import { writePack } from '../support/packs'
import { report } from './report'

const images = Number(process.env.GYRE_BENCH_IMAGES ?? 4096)
const config = parseConfig({
  imageSize: 64,
  channels: 32,
  residualBlocks: 1,
  codebookSize: 1024,
  codeDim: 64,
  batchSize: 16,
})

let folder: string
let engine: Engine
let pack: PackReader
let model: VqModel
beforeAll(async () => {
  engine = await loadEngine('auto')
  folder = await mkdtemp(join(tmpdir(), 'gyre-bench-'))
  const value = (image: number, at: number): number =>
    Math.imul((image << 14) + (at >> 3) + 1, 2_654_435_761) >>> 24
  const contents = { count: images, imageSize: 64, channelsIn: 3, imagesPerShard: 512, value } as const
  pack = openPack(await writePack(folder, contents))
  model = createModel(config, 1)
})
afterAll(async () => {
  model.dispose()
  pack.close()
  engine.close()
  await rm(folder, { recursive: true, force: true })
})

interface Measured {
  vectors: number
  seconds: number
  /** The most that lived at the end of a batch. */
  peakTensors: number
  peakTensorBytes: number
  peakRssBytes: number
}

/** Calls `work` with a function that looks at the memory; `vectors` is what it goes through. */
async function measured(vectors: number, work: (look: () => void) => Promise<unknown>): Promise<Measured> {
  const peak = { peakTensors: 0, peakTensorBytes: 0, peakRssBytes: 0 }
  const look = (): void => {
    const { numTensors, numBytes } = tf.memory()
    peak.peakTensors = Math.max(peak.peakTensors, numTensors)
    peak.peakTensorBytes = Math.max(peak.peakTensorBytes, numBytes)
    peak.peakRssBytes = Math.max(peak.peakRssBytes, process.memoryUsage.rss())
  }
  const startedAt = performance.now()
  await work(look)
  return { vectors, seconds: (performance.now() - startedAt) / 1000, ...peak }
}

async function look(count: number): Promise<Measured> {
  const windows = new CodeWindows(config.codebookSize, 1)
  const state = { step: 0, window: windows.running, lastWindow: null } as unknown as CheckpointState
  const indices = Int32Array.from({ length: count }, (_, i) => i)
  const { tokens } = model
  return measured(count * tokens[0] * tokens[1], async (onProgress) => {
    const options = { split: 'all', nearest: 64, onProgress } as const
    const { summary } = await inspect({ model, forward: eagerForward(model), state }, pack, indices, options)
    expect(summary.vectors).toBe(count * tokens[0] * tokens[1])
  })
}

async function centres(count: number): Promise<Measured> {
  const indices = Int32Array.from({ length: count }, (_, i) => i)
  const source = createBatchSource(pack, indices, config)
  const { tokens } = model
  try {
    return await measured(count * tokens[0] * tokens[1], async (onProgress) => {
      const stream = encodingsOf(model, source, { batches: count / config.batchSize, onProgress })
      const codes = await kmeansCodes(stream, config, createRandom(1))
      codes.dispose()
    })
  } finally {
    await source.close()
  }
}

it('looks, and finds centres', async () => {
  const figures = {
    engine: engine.id,
    codes: config.codebookSize,
    codeDim: config.codeDim,
    kmeansPasses: startPasses('kmeans'),
    // Few before many, so that the process has not grown yet.
    lookAtFew: await look(images / 16),
    look: await look(images),
    kmeansOnFew: await centres(images / 16),
    kmeans: await centres(images),
  }
  await report('inspect-million', { loadAverage: loadavg()[0], ...figures })
})
