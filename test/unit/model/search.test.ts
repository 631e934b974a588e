// The nearest code against a plain search in float64.
import fc from 'fast-check'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, expect, test } from 'vitest'
import { nearestCodes } from '#main/model/quantize/search'
import { createRandom } from '#main/model/random'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

function rows(count: number, dim: number, seed: number, offset = 0): number[][] {
  const random = createRandom(seed)
  const value = (): number => Math.fround(2 * random.uniform() - 1 + offset)
  return Array.from({ length: count }, () => Array.from({ length: dim }, value))
}

const squaredDistance = (a: number[], b: number[]): number =>
  a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0)

function found(vectors: number[][], codes: number[][], chunkRows?: number): number[] {
  return tf.tidy(() => [...nearestCodes(tf.tensor2d(vectors), tf.tensor2d(codes), chunkRows).dataSync()])
}

test('finds what a float64 search finds', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 16 }),
      (seed, k, dim) => {
        const [vectors, codes] = [rows(20, dim, seed), rows(k, dim, seed + 1)]
        found(vectors, codes).forEach((index, i) => {
          const distances = codes.map((code) => squaredDistance(vectors[i] ?? [], code))
          const least = Math.min(...distances)
          // Where two codes are as near as float32 can tell, either is right.
          expect((distances[index] ?? NaN) - least).toBeLessThan(1e-6 * Math.max(1, least))
        })
      },
    ),
  )
})

test('the size of the chunks changes nothing', () => {
  const [vectors, codes] = [rows(50, 8, 1), rows(30, 8, 2)]
  const whole = found(vectors, codes)
  for (const chunk of [1, 7, 49, 50, 51]) expect(found(vectors, codes, chunk)).toEqual(whole)
})

test('a tie goes to the lowest index', () => {
  const code = [0.3, -0.7]
  expect(
    found(
      [
        [0.3, -0.7],
        [5, 5],
      ],
      [[9, 9], code, code, code],
    ),
  ).toEqual([1, 0])
  // Halfway between two codes.
  expect(
    found(
      [[0, 0]],
      [
        [3, 0],
        [1, 0],
        [-1, 0],
      ],
    ),
  ).toEqual([1])
})

test('memory stays bounded: one chunk of scores at a time', () => {
  const [vectors, codes] = [tf.zeros<tf.Rank.R2>([6000, 2]), tf.zeros<tf.Rank.R2>([4096, 2])]
  const before = tf.memory().numTensors
  const indices = nearestCodes(vectors, codes)
  expect(indices.shape).toEqual([6000])
  expect(tf.memory().numTensors).toBe(before + 1)
})
