// Codes from streams of vectors: the same as from all vectors at once, in memory that does not grow with their number.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import type { CodebookConfig } from '#main/model/quantize/codebook'
import { dataCodes, kmeansCentres, kmeansCodes, kmeansIterations } from '#main/model/quantize/initial-codes'
import { mapped, streamOf, type VectorStream } from '#main/model/quantize/vector-stream'
import { createRandom } from '#main/model/random'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const config: CodebookConfig = {
  codebookSize: 7,
  codeDim: 3,
  distance: 'euclidean',
  codebookUpdate: 'ema',
  emaDecay: 0.8,
  deadCodeThreshold: 0,
}

/** Whole numbers, whose sums are exact in any order. */
function numbers(count: number): number[][] {
  const random = createRandom(5)
  return Array.from({ length: count }, () => Array.from({ length: 3 }, () => random.integer(400) - 200))
}

/** Lloyd's rounds in float64, by the definition: nearest by squared distance, the lowest index of equals. */
function lloyd(vectors: readonly number[][], start: readonly number[][]): number[][] {
  let codes = start.map((code) => [...code])
  for (let round = 0; round < kmeansIterations; round++) {
    const own = codes.map((): number[][] => [])
    for (const vector of vectors) {
      const distances = codes.map((code) => code.reduce((sum, x, d) => sum + (x - (vector[d] ?? 0)) ** 2, 0))
      own[distances.indexOf(Math.min(...distances))]?.push(vector)
    }
    codes = codes.map((code, k) => {
      const mine = own[k] ?? []
      if (mine.length === 0) return code
      return code.map((_, d) => mine.reduce((sum, v) => sum + (v[d] ?? 0), 0) / mine.length)
    })
  }
  return codes
}

describe('in parts', () => {
  const list = numbers(301)
  const chosen = createRandom(3).choose(301, 7)
  const start = Array.from(chosen, (row) => list[row] ?? [])

  test.each([1, 13, 100, 301])(
    'of %i vectors: k-means as by its definition, and as all at once',
    async (rows) => {
      const vectors = tf.tensor2d(list)
      const streamed = await kmeansCodes(streamOf(vectors, rows), config, createRandom(3))
      const whole = tf.tidy(() => kmeansCentres(vectors, tf.tensor2d(start), config))
      expect(streamed.arraySync()).toEqual(whole.arraySync())
      for (const [k, code] of lloyd(list, start).entries())
        for (const [d, x] of code.entries())
          expect(Math.abs((streamed.arraySync()[k]?.[d] ?? NaN) - x)).toBeLessThan(1e-3)
    },
  )

  test.each([1, 13, 301])('of %i vectors: the same vectors are drawn, in the order drawn', async (rows) => {
    const drawn = await dataCodes(streamOf(tf.tensor2d(list), rows), 7, createRandom(3))
    expect(drawn.arraySync()).toEqual(start)
  })

  test('changed on the way', async () => {
    const twice = mapped(streamOf(tf.tensor2d(list), 50), (part) => tf.mul(part, 2))
    const drawn = await dataCodes(twice, 7, createRandom(3))
    expect(drawn.arraySync()).toEqual(start.map((vector) => vector.map((x) => 2 * x)))
  })
})

describe('memory', () => {
  /** Parts that exist only while they are looked at; notes the most that was alive, and stops where told. */
  function endless(parts: number, stopAt = Number.POSITIVE_INFINITY) {
    const most = { bytes: 0, tensors: 0 }
    let seen = 0
    const stream: VectorStream = {
      count: parts * 64,
      each: async (visit) => {
        for (let at = 0; at < parts; at++) {
          if (seen++ === stopAt) throw new Error('stopped here')
          const part = tf.randomNormal<tf.Rank.R2>([64, 3], 0, 1, 'float32', at)
          await visit(part, at * 64)
          const { numBytes, numTensors } = tf.memory()
          most.bytes = Math.max(most.bytes, numBytes)
          most.tensors = Math.max(most.tensors, numTensors)
          part.dispose()
        }
      },
    }
    return { stream, most }
  }

  test('does not grow with the number of vectors, and none is left behind', async () => {
    const before = tf.memory()
    const [few, many] = [endless(8), endless(300)]
    for (const { stream } of [few, many]) (await kmeansCodes(stream, config, createRandom(1))).dispose()
    expect(many.most.bytes).toBe(few.most.bytes)
    // The codes that are drawn lie in as many tensors as parts they were found in.
    expect(many.most.tensors).toBeLessThanOrEqual(few.most.tensors + config.codebookSize)
    expect(tf.memory().numTensors).toBe(before.numTensors)
    expect(tf.memory().numBytes).toBe(before.numBytes)
  })

  // While the first codes are drawn, and in the middle of a round.
  test.each([3, 37])('is freed when the stream ends early, at part %i', async (stopAt) => {
    const before = tf.memory().numTensors
    const { stream } = endless(10, stopAt)
    const whole = tf.memory().numTensors
    await expect(kmeansCodes(stream, config, createRandom(1))).rejects.toThrow('stopped here')
    expect(tf.memory().numTensors).toBe(before)
    expect(whole).toBe(before)
  })
})
