// What happens to numbers on their way to a chart: smoothing, fewer points, log axes, time left, words.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decimate } from '../../../../src-renderer/charts/decimate'
import { remainingMs } from '../../../../src-renderer/charts/eta'
import { logScale, toLog } from '../../../../src-renderer/charts/log-axis'
import { smooth } from '../../../../src-renderer/charts/smoothing'

describe('smooth', () => {
  it('is the debiased average: by hand for weight 0.5', () => {
    // m₁ = 2 → 4/… : (0.5·4)/(1−0.5) = 4; m₂ = 0.5·2+0.5·8 = 5 → 5/0.75
    expect([...smooth([4, 8, 0], 0.5)]).toEqual([4, 5 / 0.75, 2.5 / 0.875])
  })

  it('leaves values alone at 0 and a constant alone at any weight', () => {
    expect([...smooth([3, 1, 2], 0)]).toEqual([3, 1, 2])
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (weight) => {
        for (const value of smooth(new Array(50).fill(0.25), weight)) expect(value).toBeCloseTo(0.25, 9)
      }),
    )
  })

  it('stays between the smallest and the largest value seen so far', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (values, weight) => {
          smooth(values, weight).forEach((value, i) => {
            const seen = values.slice(0, i + 1)
            expect(value).toBeGreaterThanOrEqual(Math.min(...seen) - 1e-6)
            expect(value).toBeLessThanOrEqual(Math.max(...seen) + 1e-6)
          })
        },
      ),
    )
  })

  it('passes over values that are not numbers', () => {
    const result = smooth([1, Number.NaN, 3], 0.5)
    expect(result[1]).toBeNaN()
    expect(result[2]).toBeCloseTo((0.5 * 0.5 + 1.5) / 0.75, 12)
  })
})

describe('decimate', () => {
  const curve = fc
    .array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 400 })
    .map((y) => ({ x: y.map((_, i) => i), y }))

  it('keeps ends and extremes, in order, within its size', () => {
    fc.assert(
      fc.property(curve, fc.integer({ min: 2, max: 40 }), ({ x, y }, buckets) => {
        const points = decimate(x, y, buckets)
        expect(points.x.length).toBeLessThanOrEqual(2 * buckets + 2)
        expect(Math.max(...points.y)).toBe(Math.max(...y))
        expect(Math.min(...points.y)).toBe(Math.min(...y))
        expect(points.x[0]).toBe(0)
        expect(points.x.at(-1)).toBe(y.length - 1)
        expect(points.x).toEqual([...points.x].sort((a, b) => a - b))
        points.x.forEach((at, i) => expect(points.y[i]).toBe(y[at]))
      }),
    )
  })

  it('drops what cannot be drawn', () => {
    expect(decimate([1, 2, 3], [Number.NaN, 5, Infinity], 4)).toEqual({ x: [2], y: [5] })
  })
})

describe('logScale', () => {
  const values = (ticks: number[]): number[] => ticks.map((tick) => Number((10 ** tick).toPrecision(6)))

  it('ticks at 1, 2, 5 within two decades', () => {
    const scale = logScale(0.0172, 0.43)
    expect(values(scale.ticks)).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
    expect(10 ** scale.min).toBeCloseTo(0.01)
    expect(10 ** scale.max).toBeCloseTo(0.5)
  })

  it('ticks at powers of ten over more', () => {
    expect(values(logScale(0.00015, 0.9).ticks)).toEqual([0.0001, 0.001, 0.01, 0.1, 1])
  })

  it('holds every positive range between its ends', () => {
    const positive = fc.double({ min: 1e-12, max: 1e12, noNaN: true })
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const scale = logScale(Math.min(a, b), Math.max(a, b))
        expect(scale.min).toBeLessThan(scale.max)
        expect(scale.min).toBeLessThanOrEqual(Math.log10(Math.min(a, b)) + 1e-6)
        expect(scale.max).toBeGreaterThanOrEqual(Math.log10(Math.max(a, b)) - 1e-6)
        expect(scale.ticks.length).toBeGreaterThanOrEqual(1)
        expect(scale.ticks.length).toBeLessThanOrEqual(8)
      }),
    )
  })

  it('has no place for zero, negative or infinite values', () => {
    expect([toLog(0), toLog(-1), toLog(Infinity)]).toEqual([NaN, NaN, NaN])
    expect(toLog(100)).toBe(2)
  })
})

describe('remainingMs', () => {
  it('extrapolates the pace of the last records', () => {
    // First slowly (100 ms a step), at the end 10 ms a step: only the end counts.
    const step = [0, 10, 20, 30]
    const trainedMs = [0, 1000, 1100, 1200]
    expect(remainingMs(step, trainedMs, 130, 2)).toBeCloseTo(1000)
  })

  it('uses the whole run while there is one record, and says nothing before', () => {
    expect(remainingMs([10], [500], 110)).toBeCloseTo(5000)
    expect(remainingMs([], [], 100)).toBeNull()
    expect(remainingMs([5, 5], [100, 100], 100)).toBeNull()
    expect(remainingMs([100], [500], 100)).toBe(0)
  })
})
