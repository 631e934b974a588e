import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitIndices, validationCount } from '#main/data/index'

const filesArbitrary = fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }), {
  maxLength: 80,
})
const fractionArbitrary = fc.double({ min: 0, max: 0.5, noNaN: true })

const names = (files: readonly string[], positions: Int32Array): Set<string> =>
  new Set(Array.from(positions, (i) => files[i] ?? ''))

describe('the validation split', () => {
  it('puts every image on one side, ascending, with the share that was asked for', () => {
    fc.assert(
      fc.property(filesArbitrary, fractionArbitrary, (files, fraction) => {
        const { train, validation } = splitIndices(files, fraction)
        expect([...train, ...validation].sort((a, b) => a - b)).toEqual(files.map((_, i) => i))
        expect([...train]).toEqual([...train].sort((a, b) => a - b))
        expect([...validation]).toEqual([...validation].sort((a, b) => a - b))
        expect(validation.length).toBe(validationCount(files.length, fraction))
      }),
    )
  })

  it('does not depend on the order of the files', () => {
    fc.assert(
      fc.property(filesArbitrary, fractionArbitrary, (files, fraction) => {
        const reversed = files.toReversed()
        expect(names(reversed, splitIndices(reversed, fraction).validation)).toEqual(
          names(files, splitIndices(files, fraction).validation),
        )
      }),
    )
  })

  it('moves at most as many images to training as new ones come, and none without need', () => {
    fc.assert(
      fc.property(filesArbitrary, fractionArbitrary, fc.nat(80), (all, fraction, cut) => {
        const old = all.slice(0, cut)
        const added = all.length - old.length
        const before = names(old, splitIndices(old, fraction).validation)
        const after = names(all, splitIndices(all, fraction).validation)
        const left = [...before].filter((file) => !after.has(file)).length
        const arrived = [...after].filter((file) => old.includes(file) && !before.has(file)).length
        expect(left).toBeLessThanOrEqual(added)
        expect(arrived).toBeLessThanOrEqual(Math.max(0, after.size - before.size))
      }),
    )
  })

  it('keeps one image for validation and one for training where there are two', () => {
    expect([0, 1, 2, 3].map((count) => validationCount(count, 0.01))).toEqual([0, 0, 1, 1])
    expect([validationCount(2, 0.5), validationCount(3, 0.5), validationCount(1000, 0)]).toEqual([1, 2, 0])
    // 256 of the sample's 3,786 images, as in the benchmark.
    expect(validationCount(3786, 256 / 3786)).toBe(256)
  })

  it('is fixed for ever: by SHA-256 of the name', () => {
    // First bytes of SHA-256: a.png 7f…, b.png 5f…, c.png 58…, d.png a1… (sha256sum).
    const { validation } = splitIndices(['a.png', 'b.png', 'c.png', 'd.png'], 0.5)
    expect([...validation]).toEqual([1, 2])
  })
})
