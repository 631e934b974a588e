// The stream of encodings that a codebook starts from: what is kept between passes and what is encoded anew are the same
// vectors, one batch's tensors are alive at a time, and a cancelled pass leaves nothing behind.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBatchSource, openPack, type PackReader } from '#main/data/index'
import { createModel, createRandom, startPasses, type VqModel } from '#main/model/index'
import { encodingsOf, type EncodingOptions } from '#main/train/encodings'
import { startCodebook } from '#main/train/start'
import { defaultConfig, type RunConfig } from '#shared/config/schema'
import { startTestEngine } from '../../support/model-engine'
import { writePack } from '../../support/packs'

const count = 60
const config: RunConfig = {
  ...defaultConfig,
  imageSize: 16,
  batchSize: 5,
  channels: 8,
  residualBlocks: 1,
  codeDim: 4,
  codebookSize: 20,
  codebookInit: 'kmeans',
  flip: true,
}
const train = Int32Array.from({ length: count }, (_, i) => i)

let folder: string
let pack: PackReader
let model: VqModel
let source: ReturnType<typeof createBatchSource>
beforeAll(async () => {
  await startTestEngine()
  folder = await mkdtemp(join(tmpdir(), 'gyre-encodings-'))
  const value = (image: number, at: number): number => (image * 53 + at * (3 + (image % 7))) & 255
  pack = openPack(await writePack(folder, { count, imageSize: 16, channelsIn: 3, imagesPerShard: 25, value }))
  model = createModel(config, 1)
  source = createBatchSource(pack, train, config)
})
afterAll(async () => {
  await source.close()
  pack.close()
  model.dispose()
  await rm(folder, { recursive: true, force: true })
})

/** Every vector of `passes` passes in order, with the most tensors that were alive. */
async function gone(options: EncodingOptions, passes: number): Promise<{ values: number[][]; most: number }> {
  const stream = encodingsOf(model, source, options)
  const values: number[][] = []
  let most = 0
  for (let pass = 0; pass < passes; pass++) {
    const all: number[] = []
    await stream.each((part, start) => {
      expect(start).toBe(all.length / config.codeDim)
      all.push(...part.dataSync())
      most = Math.max(most, tf.memory().numTensors)
    })
    expect(all).toHaveLength(stream.count * config.codeDim)
    values.push(all)
  }
  return { values, most }
}

it('gives the encodings of the first batches of training, kept or not', async () => {
  const before = tf.memory().numTensors
  const wanted: number[] = []
  const own = createBatchSource(pack, train, config)
  for (let batch = 0; batch < 6; batch++) {
    const { values } = await own.next()
    wanted.push(...tf.tidy(() => model.vectors(tf.tensor4d(values, [5, 16, 16, 3])).dataSync()))
  }
  await own.close()
  const bytesOfTwo = 2 * 4 * (wanted.length / 6)
  for (const heldBytes of [0, bytesOfTwo, undefined]) {
    const options = { batches: 6, ...(heldBytes !== undefined && { heldBytes }) }
    const { values } = await gone(options, 3)
    for (const pass of values) expect(pass).toEqual(wanted)
  }
  expect(tf.memory().numTensors).toBe(before)
})

it('holds the tensors of one batch, however many there are', async () => {
  const [two, many] = [
    await gone({ batches: 2, heldBytes: 0 }, 1),
    await gone({ batches: 12, heldBytes: 0 }, 2),
  ]
  expect(many.most).toBe(two.most)
})

it('says how far it is over all passes, and ends when it is cancelled', async () => {
  const before = tf.memory().numTensors
  const seen: [number, number][] = []
  const start = { model, pack, splits: { train }, config, random: createRandom(1) }
  await startCodebook(start, { onProgress: (done, total) => seen.push([done, total]) })
  // 20 codes want 640 vectors: 8 batches of 5 images with 16 tokens each.
  const total = 8 * 5 * startPasses('kmeans')
  expect(seen).toEqual(Array.from({ length: total / 5 }, (_, i) => [5 * (i + 1), total]))
  const codes = Array.from(model.codebook().dataSync())

  const controller = new AbortController()
  const cancelled = startCodebook(start, {
    signal: controller.signal,
    onProgress: (done) => done === 100 && controller.abort(new Error('enough')),
  })
  await expect(cancelled).rejects.toThrow('enough')
  expect(Array.from(model.codebook().dataSync())).toEqual(codes)
  expect(tf.memory().numTensors).toBe(before)
})

it('takes every image once where there are fewer than k-means wants', async () => {
  const seen: number[] = []
  const large = { ...config, codebookSize: 4096 }
  const other = createModel(large, 1)
  const start = { model: other, pack, splits: { train }, config: large, random: createRandom(1) }
  await startCodebook(start, { onProgress: (_, total) => seen.push(total) })
  expect(seen.at(-1)).toBe(count * startPasses('kmeans'))
  other.dispose()
})
