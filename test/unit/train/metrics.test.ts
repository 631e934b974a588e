import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeStatistics, EvaluationSums, psnr, WindowedUsage } from '#main/train/metrics'

describe('code statistics', () => {
  test('worked out by hand: counts 2, 0, 1, 1', () => {
    const { used, usage, perplexity } = codeStatistics([2, 0, 1, 1])
    expect({ used, usage }).toEqual({ used: 3, usage: 0.75 })
    // Entropy ½·ln 2 + 2·¼·ln 4 = 1.5·ln 2, so the perplexity is 2^1.5.
    expect(perplexity).toBeCloseTo(2 ** 1.5, 12)
  })

  test('nothing counted', () => expect(codeStatistics([0, 0])).toEqual({ used: 0, usage: 0, perplexity: 0 }))

  test('perplexity lies between 1 and the number of used codes, and reaches it when they are used alike', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 50 }),
        fc.integer({ min: 1, max: 9 }),
        (counts, each) => {
          const { used, perplexity } = codeStatistics(counts)
          if (used > 0) expect(perplexity).toBeGreaterThanOrEqual(1 - 1e-9)
          expect(perplexity).toBeLessThanOrEqual(used + 1e-9)
          expect(codeStatistics(counts.map(() => each)).perplexity).toBeCloseTo(counts.length, 6)
        },
      ),
    )
  })
})

test('psnr of images in [−1, 1]', () => {
  expect(psnr(4)).toBe(0)
  expect(psnr(0.04)).toBeCloseTo(20, 12)
  expect(psnr(0)).toBe(200)
})

describe('usage per window of images', () => {
  test('complete windows are averaged, the rest is left out', () => {
    const usage = new WindowedUsage(4, 2)
    // Two tokens an image; windows {0,1} {0,0} → 2 codes, {1,2} {3,0} → 4 codes, then one image of the next window.
    usage.add([0, 1, 0, 0, 1, 2], 3)
    usage.add([3, 0, 2, 2], 2)
    expect(usage.value).toBe((2 / 4 + 4 / 4) / 2)
  })

  test('a split smaller than a window counts as a whole', () => {
    const usage = new WindowedUsage(4, 256)
    usage.add([0, 1, 1, 1], 2)
    expect(usage.value).toBe(0.5)
  })
})

test('batches of different size weigh by their images and vectors', () => {
  const sums = new EvaluationSums({ codebookSize: 4, codeDim: 8, commitmentWeight: 0.5 })
  sums.add({ images: 3, indices: [0, 0, 0, 0, 0, 0], mse: 0.1, error: 2 })
  sums.add({ images: 1, indices: [1, 2], mse: 0.5, error: 10 })
  const metrics = sums.finish()
  expect(metrics.images).toBe(4)
  expect(metrics.mse).toBeCloseTo((3 * 0.1 + 0.5) / 4, 12)
  expect(metrics.psnr).toBeCloseTo(10 * Math.log10(4 / 0.2), 9)
  expect(metrics.quantizationError).toBeCloseTo((6 * 2 + 2 * 10) / 8, 12)
  expect(metrics.commitmentLoss).toBeCloseTo((0.5 * 4) / 8, 12)
  expect(metrics.usage).toBe(0.75)
  expect(metrics.usagePer256).toBe(0.75)
  expect(metrics.perplexity).toBeCloseTo(Math.exp(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.125))), 12)
})
