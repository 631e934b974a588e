// Fixed bins: every number in exactly one, edges where they are said to be, quantiles of what was counted.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addCounts,
  angleBins,
  countInBins,
  lengthBins,
  quantile,
  ratioBins,
  totalOf,
} from '#shared/histogram'

const all = [ratioBins, lengthBins, angleBins]

test('the bins are those of the documentation', () => {
  expect(all.map(({ edges }) => [edges.length - 1, edges[0], edges.at(-1)])).toEqual([
    [64, 2 ** -8, 2 ** 8],
    [80, 2 ** -12, 2 ** 8],
    [36, 0, 180],
  ])
  expect(ratioBins.edges[32]).toBe(1)
  expect(angleBins.edges[18]).toBe(90)
})

test.each(all)('an edge is the lower end of its bin, and the last edge still counts (%#)', (bins) => {
  const { edges } = bins
  const counts = countInBins(edges, bins)
  expect(counts.slice(0, -1)).toEqual(counts.slice(0, -1).map(() => 1))
  expect(counts.at(-1)).toBe(2)
})

test.each(all)('every number lies in the bin whose edges surround it (%#)', (bins) => {
  const { edges } = bins
  const [first = 0, last = 0] = [edges[0], edges.at(-1)]
  fc.assert(
    fc.property(fc.double({ min: first, max: last, noNaN: true, maxExcluded: true }), (value) => {
      const bin = countInBins([value], bins).indexOf(1)
      expect(edges[bin]).toBeLessThanOrEqual(value)
      expect(edges[bin + 1]).toBeGreaterThan(value)
    }),
  )
})

test('what lies beyond counts at the ends; NaN does not count', () => {
  const counts = countInBins([0, -1, 1e-9, Infinity, 1e9, Number.NaN], ratioBins)
  expect([counts[0], counts.at(-1), totalOf(counts)]).toEqual([3, 2, 5])
})

test('sums are bin by bin', () => {
  expect(addCounts([1, 2, 3], [10, 0, 5])).toEqual([11, 2, 8])
})

describe('quantiles', () => {
  test('even within a bin, on the scale of the bins', () => {
    // 10 angles between 85° and 90°, 30 between 90° and 95°: a quarter lies below 90°.
    const angles = countInBins([...Array<number>(10).fill(87), ...Array<number>(30).fill(92)], angleBins)
    expect(quantile(angles, angleBins, 0.25)).toBeCloseTo(90, 12)
    expect(quantile(angles, angleBins, 0.5)).toBeCloseTo(90 + 5 / 3, 12)
    expect(quantile(angles, angleBins, 1)).toBe(95)
    // One bin from 1 to the fourth root of 2: its middle on a log scale is the eighth.
    expect(quantile(countInBins([1.1, 1.15], ratioBins), ratioBins, 0.5)).toBeCloseTo(2 ** 0.125, 12)
  })

  test('are never further from the true quantile than a bin', () => {
    const degrees = fc.array(fc.double({ min: 0, max: 180, noNaN: true }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(degrees, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
        const sorted = [...values].sort((a, b) => a - b)
        const truth = sorted[Math.ceil(values.length * share) - 1] ?? Number.NaN
        expect(
          Math.abs(quantile(countInBins(values, angleBins), angleBins, share) - truth),
        ).toBeLessThanOrEqual(5)
      }),
    )
  })

  test('of nothing is no number', () => {
    expect(quantile(countInBins([], angleBins), angleBins, 0.5)).toBeNaN()
  })
})
