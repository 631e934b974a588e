// The arithmetic of comparing: errors over a tensor, and which indices count as a tie.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { difference, Errors, isTie } from '#main/train/verify/compare'
import { compareIndices } from '#main/train/verify/indices'

describe('difference', () => {
  test('divides the largest error by the largest expected value, over the whole tensor', () => {
    const [abs, rel] = difference([1, 2.5, -4], [1, 2, -5])
    expect([abs, rel]).toEqual([1, 0.2])
  })

  test('an error against zeros has no finite relative size; no error is 0', () => {
    expect(difference([0, 1], [0, 0])).toEqual([1, Infinity])
    expect(difference([0, 0], [0, 0])).toEqual([0, 0])
  })

  test.each([
    ['NaN', [1, NaN]],
    ['infinity', [Infinity, 1]],
    ['a missing value', [1]],
    ['a value too many', [1, 1, 1]],
  ])('%s is infinitely wrong', (_, actual) =>
    expect(difference(actual, [1, 1])).toEqual([Infinity, Infinity]),
  )

  test('scales with both sides, and grows with the error', () => {
    const numbers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(numbers, fc.constantFrom(0.5, 2, 1024), fc.nat(19), (b, factor, at) => {
        const largest = Math.max(...b.map(Math.abs))
        fc.pre(largest > 0)
        const a = b.map((x, i) => (i === at % b.length ? x + 3 : x))
        const [abs, rel] = difference(a, b)
        expect(abs).toBe(3)
        expect(rel).toBe(3 / largest)
        const scale = (xs: number[]): number[] => xs.map((x) => x * factor)
        expect(difference(scale(a), scale(b))).toEqual([3 * factor, rel])
      }),
    )
  })
})

describe('Errors', () => {
  test('keeps the worst of a quantity, and writes null where it is not finite', () => {
    const errors = new Errors()
    errors.add('x', [1], [2])
    errors.add('x', [2], [2])
    errors.add('y', [NaN], [2])
    expect(errors.toQuantities()).toEqual({ x: { abs: 1, rel: 0.5 }, y: { abs: null, rel: null } })
    expect(errors.within(1)).toBe(false)
  })

  test('the bound itself is within', () => {
    const errors = new Errors()
    errors.add('x', [1], [2])
    expect([errors.within(0.5), errors.within(0.49)]).toEqual([true, false])
  })
})

describe('ties', () => {
  // At 0 between −1 and 1; the third code is far away.
  const codes = (right: number): number[][] => [[-1], [right], [5]]

  test('two nearest codes at distances within 1e-6 are a tie, beyond it they are not', () => {
    expect(isTie(0, 1, [0], codes(1))).toBe(true)
    expect(isTie(0, 1, [0], codes(1 + 0.9e-6))).toBe(true)
    expect(isTie(1, 0, [0], codes(1 + 0.9e-6))).toBe(true)
    expect(isTie(0, 1, [0], codes(1 + 1.2e-6))).toBe(false)
  })

  test('two equally far codes are no tie while a third is nearer, nor are codes that are not there', () => {
    expect(isTie(0, 1, [0], [[-1], [1], [0.5]])).toBe(false)
    expect(isTie(0, 7, [0], codes(1))).toBe(false)
    expect(isTie(-1, 0, [0], codes(1))).toBe(false)
  })

  test('a row with a tie is set aside, another difference makes the indices unequal', () => {
    const vectors = [[0], [4.9], [-0.8]]
    const compared = compareIndices([[1, 2, 0]], [[0], [2], [0]], vectors, [codes(1)], 'euclidean')
    expect(compared).toEqual({ equal: true, tied: new Set([0]) })
    expect(compareIndices([[0, 1, 0]], [[0], [2], [0]], vectors, [codes(1)], 'euclidean').equal).toBe(false)
    expect(compareIndices([[0]], [[0], [2]], vectors, [codes(1)], 'euclidean').equal).toBe(false)
  })

  test('for cosine the direction counts', () => {
    const book = [
      [1, 0],
      [0, 1],
    ]
    const compared = compareIndices([[1]], [[0]], [[30, 30]], [book], 'cosine')
    expect(compared).toEqual({ equal: true, tied: new Set([0]) })
  })

  test('a level of a residual quantizer is asked for what the levels before it leave over', () => {
    const books = [[[1], [9]], codes(1)]
    // 1 − 1 = 0 lies between −1 and 1.
    const compared = compareIndices([[0], [1]], [[0, 0]], [[1]], books, 'euclidean')
    expect(compared).toEqual({ equal: true, tied: new Set([0]) })
  })
})
