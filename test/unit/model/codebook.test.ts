// Start, running means and revival of the codebook.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  countCodes,
  kaimingCodes,
  reviveDeadCodes,
  startState,
  updateState,
  type CodebookConfig,
} from '#main/model/quantize/codebook'
import { dataCodes, kmeansCodes } from '#main/model/quantize/initial-codes'
import { createRandom } from '#main/model/random'
import { streamOf } from '#main/model/quantize/vector-stream'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const config: CodebookConfig = {
  codebookSize: 3,
  codeDim: 2,
  distance: 'euclidean',
  codebookUpdate: 'ema',
  emaDecay: 0.8,
  deadCodeThreshold: 0,
}

const indices = (values: number[]): tf.Tensor1D => tf.tensor1d(values, 'int32')

test('kaiming codes fill ±√(6/(K·D))', () => {
  const codes = kaimingCodes(1024, 32, createRandom(0))
  const bound = Math.sqrt(6 / (1024 * 32))
  const largest = codes.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  expect(largest).toBeLessThanOrEqual(bound)
  expect(largest).toBeGreaterThan(0.999 * bound)
  const meanSquare = codes.reduce((sum, x) => sum + x * x, 0) / codes.length
  expect(meanSquare / (bound ** 2 / 3)).toBeCloseTo(1, 1)
})

test('counts every code', () => {
  expect([...countCodes(indices([2, 0, 2, 2]), 4).dataSync()]).toEqual([1, 0, 3, 0])
})

test('a code that nobody uses barely moves, a used one follows its vectors', () => {
  const codes = [
    [1, 0],
    [0, 1],
    [-1, 0],
  ]
  const state = startState(tf.tensor2d(codes), config)
  const vectors = tf.tensor2d([
    [2, 0],
    [4, 0],
  ])
  const next = updateState(state, vectors, indices([0, 0]), config)
  const after = next.codebook.arraySync()
  // N = 0.8 + 0.2·2 = 1.2, m = 0.8·1 + 0.2·6 = 2.
  expect(after[0]?.[0]).toBeCloseTo(2 / 1.2, 4)
  expect(after[1]?.[1]).toBeCloseTo(1, 4)
  expect([...(next.counts?.dataSync() ?? [])]).toEqual([1.2, 0.8, 0.8].map(Math.fround))
})

test('a gradient-trained codebook is left to the optimiser', () => {
  const gradient: CodebookConfig = { ...config, codebookUpdate: 'gradient' }
  const state = startState(
    tf.tensor2d([
      [1, 0],
      [0, 1],
      [1, 1],
    ]),
    gradient,
  )
  expect(Object.keys(state)).toEqual(['codebook'])
  expect(updateState(state, tf.tensor2d([[9, 9]]), indices([0]), gradient)).toBe(state)
})

describe('revival', () => {
  const reviving: CodebookConfig = { ...config, deadCodeThreshold: 0.5 }
  const vectors = (): tf.Tensor2D => tf.tensor2d([[7, 8]])

  test('moves only dead codes, with the threshold as their running use', () => {
    const state = {
      codebook: tf.tensor2d([
        [1, 1],
        [2, 2],
        [3, 3],
      ]),
      counts: tf.tensor1d([0.5, 0.49, 3]),
      sums: tf.tensor2d([
        [0.5, 0.5],
        [1, 1],
        [9, 9],
      ]),
    }
    const next = reviveDeadCodes(state, vectors(), indices([0, 0, 0]), reviving)
    expect(next.codebook.arraySync()).toEqual([
      [1, 1],
      [7, 8],
      [3, 3],
    ])
    expect(next.counts?.arraySync()).toEqual([0.5, 0.5, 3])
    expect(next.sums?.arraySync()).toEqual([
      [0.5, 0.5],
      [3.5, 4],
      [9, 9],
    ])
  })

  test('is off at 0', () => {
    const state = startState(
      tf.tensor2d([
        [1, 1],
        [2, 2],
        [3, 3],
      ]),
      config,
    )
    expect(reviveDeadCodes(state, vectors(), indices([0, 0, 0]), config)).toBe(state)
  })
})

describe('starts from data', () => {
  const corners = [
    [10, 0],
    [0, 10],
    [-10, -10],
  ]
  const random = createRandom(4)
  const cloud = Array.from({ length: 300 }, (_, i) =>
    (corners[i % 3] ?? []).map((x) => x + random.uniform() - 0.5),
  )

  test('data: distinct vectors of the batch', async () => {
    const codes = (await dataCodes(streamOf(tf.tensor2d(cloud)), 200, createRandom(1))).arraySync()
    const known = new Set(cloud.map((v) => v.map(Math.fround).join()))
    expect(codes.every((code) => known.has(code.join()))).toBe(true)
    expect(new Set(codes.map((code) => code.join())).size).toBe(200)
  })

  test('k-means: every code is the mean of its vectors, and the clusters are found', async () => {
    // From any start with one vector a cluster; this seed gives one.
    const vectors = tf.tensor2d(cloud)
    const results: tf.Tensor2D[] = []
    for (let seed = 0; seed < 5; seed++)
      results.push(await kmeansCodes(streamOf(vectors), config, createRandom(seed)))
    const means = corners.map((_, c) => {
      const own = cloud.filter((__, i) => i % 3 === c)
      return [0, 1].map((d) => own.reduce((sum, v) => sum + (v[d] ?? 0), 0) / own.length)
    })
    const distance = (a: number[], b: number[]): number => Math.hypot(...a.map((x, d) => x - (b[d] ?? 0)))
    const solved = results.filter((codes) => {
      const list = codes.arraySync()
      return means.every((mean) => list.some((code) => distance(code, mean) < 1e-4))
    })
    expect(solved.length).toBeGreaterThan(0)
  })

  test('k-means on the sphere keeps unit codes', async () => {
    const unit = tf.div<tf.Tensor2D>(tf.tensor2d(cloud), tf.norm(tf.tensor2d(cloud), 2, 1, true))
    const codes = await kmeansCodes(streamOf(unit), { ...config, distance: 'cosine' }, createRandom(2))
    for (const code of codes.arraySync()) expect(Math.hypot(...code)).toBeCloseTo(1, 5)
  })

  test('more codes than vectors repeats vectors', async () => {
    const codes = await dataCodes(streamOf(tf.tensor2d([[1, 2]])), 3, createRandom(1))
    expect(codes.arraySync()).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ])
  })
})
