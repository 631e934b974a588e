// Looking at a codebook in one pass over the images: the same figures as from all encodings at once in float64, with the
// tensors of one batch alive at a time, and an end when it is cancelled.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPack, type PackReader } from '#main/data/index'
import { scaledPixels } from '#main/data/scale'
import { createModel, createRandom, type VqModel } from '#main/model/index'
import { eagerForward } from '#main/train/forward'
import { inspect } from '#main/train/inspect'
import { nearestOf } from '#main/train/inspection'
import type { CheckpointState } from '#main/train/state'
import { CodeWindows } from '#main/train/windows'
import { defaultConfig, type RunConfig } from '#shared/config/schema'
import { startFrom, startTestEngine } from '../../support/model-engine'
import { writePack } from '../../support/packs'

const count = 330
const kept = 5
const config: RunConfig = {
  ...defaultConfig,
  imageSize: 16,
  channels: 8,
  residualBlocks: 1,
  codeDim: 4,
  codebookSize: 24,
  codebookInit: 'data',
}

let folder: string
let pack: PackReader
let model: VqModel
let state: CheckpointState
const first = (images: number): Int32Array => Int32Array.from({ length: images }, (_, i) => i)

async function images(indices: Int32Array): Promise<tf.Tensor4D> {
  const pixels = new Uint8Array(indices.length * 16 * 16 * 3)
  await pack.readAsync(indices, pixels)
  return tf.tensor4d(scaledPixels(pixels), [indices.length, 16, 16, 3])
}

beforeAll(async () => {
  await startTestEngine()
  folder = await mkdtemp(join(tmpdir(), 'gyre-inspect-'))
  // A colour of its own for each quarter of each image, so that encodings lie far apart.
  const value = (image: number, at: number): number => {
    const [row, column, channel] = [Math.floor(at / 48), Math.floor(at / 3) % 16, at % 3]
    const quarter = 2 * Math.floor(row / 8) + Math.floor(column / 8)
    return Math.imul(12 * image + 3 * quarter + channel + 1, 2_654_435_761) >>> 24
  }
  pack = openPack(
    await writePack(folder, { count, imageSize: 16, channelsIn: 3, imagesPerShard: 100, value }),
  )
  model = createModel(config, 1)
  await startFrom(model, await images(first(40)), createRandom(2))
  const windows = new CodeWindows(config.codebookSize, 1)
  // No training step: what is dead is not asked here.
  state = { step: 3, window: windows.running, lastWindow: null } as unknown as CheckpointState
})
afterAll(async () => {
  pack.close()
  model.dispose()
  await rm(folder, { recursive: true, force: true })
})

it('finds what all encodings at once say', async () => {
  const x = await images(first(count))
  const z = tf.tidy(() => model.vectors(x).arraySync())
  const codes = model.codebook().arraySync()
  x.dispose()
  interface Choice {
    at: number
    code: number
    distance: number
    /** To the second nearest: where they are as good as equal, float32 may choose the other. */
    lead: number
  }
  const all = z.map((vector, at): Choice => {
    const distances = codes.map((code) => Math.hypot(...code.map((c, d) => c - (vector[d] ?? 0))))
    const sorted = [...distances].sort((a, b) => a - b)
    const [distance = 0, second = 0] = sorted
    return { at, code: distances.indexOf(distance), distance, lead: second - distance }
  })
  const isClear = (image: number): boolean =>
    all.slice(16 * image, 16 * image + 16).every(({ lead }) => lead > 2e-5)
  const looked = first(count).filter(isClear)
  expect(looked.length).toBeGreaterThan(2 * 64)
  const choices = all.filter(({ at }) => isClear(Math.floor(at / 16)))
  const found = await inspect({ model, forward: eagerForward(model), state }, pack, looked, {
    split: 'all',
    nearest: kept,
  })
  expect(found.summary.vectors).toBe(choices.length)
  const near = (a: number | undefined, b: number | undefined): void =>
    expect(Math.abs((a ?? NaN) - (b ?? NaN))).toBeLessThan(1e-5)
  for (let code = 0; code < config.codebookSize; code++) {
    const own = choices.filter((choice) => choice.code === code)
    expect(found.counts[code]).toBe(own.length)
    if (own.length > 0)
      near(found.meanDistance[code], own.reduce((sum, { distance }) => sum + distance, 0) / own.length)
    const nearest = nearestOf(found, code, kept)
    const wanted = own.sort((a, b) => a.distance - b.distance).slice(0, kept)
    expect(nearest).toHaveLength(wanted.length)
    for (const [i, one] of wanted.entries()) near(nearest[i]?.distance, one.distance)
    // Items of this pack are 2 · image; 4×4 tokens an image.
    for (const { item, row, column, distance } of nearest) {
      const choice = all[(item / 2) * 16 + row * 4 + column]
      expect(choice?.code).toBe(code)
      near(distance, choice?.distance)
    }
  }
  const shares = choices.reduce((sums, { code }) => {
    sums[code] = (sums[code] ?? 0) + 1 / choices.length
    return sums
  }, new Array<number>(config.codebookSize).fill(0))
  const entropy = -shares.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0)
  expect(found.summary.perplexity).toBeCloseTo(Math.exp(entropy), 6)
  expect(found.summary.used).toBe(shares.filter((p) => p > 0).length)
})

it('holds the tensors of one batch, however many images there are, and says how far it is', async () => {
  const forward = eagerForward(model)
  const alive: { tensors: number; bytes: number }[] = []
  const watched: typeof forward = {
    run: async (computation, values) => {
      const watching: typeof computation = {
        ...computation,
        compute: (m, x) => {
          const results = computation.compute(m, x)
          const { numTensors, numBytes } = tf.memory()
          alive.push({ tensors: numTensors, bytes: numBytes })
          return results
        },
      }
      return forward.run(watching, values)
    },
  }
  const before = tf.memory().numTensors
  const seen: number[] = []
  await inspect({ model, forward: watched, state }, pack, first(320), {
    split: 'all',
    nearest: kept,
    onProgress: (done) => seen.push(done),
  })
  expect(seen).toEqual([64, 128, 192, 256, 320])
  expect(alive).toHaveLength(5)
  for (const one of alive) expect(one).toEqual(alive[0])
  expect(tf.memory().numTensors).toBe(before)
  const controller = new AbortController()
  const cancelled = inspect({ model, forward, state }, pack, first(320), {
    split: 'all',
    nearest: kept,
    signal: controller.signal,
    onProgress: (done) => done === 128 && controller.abort(new Error('enough')),
  })
  await expect(cancelled).rejects.toThrow('enough')
  expect(tf.memory().numTensors).toBe(before)
})
