import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NearestSamples } from '#main/train/nearest'

test('the kept samples are those of sorting everything, in order, ties by position', () => {
  const codes = 3
  const sample = fc.record({ code: fc.nat(codes - 1), distance: fc.nat(6).map((tenths) => tenths / 10) })
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 120 }), fc.integer({ min: 1, max: 9 }), (samples, n) => {
      const nearest = new NearestSamples(codes, n)
      const all = samples.map(({ code, distance }, i) => ({ code, distance, image: i >> 2, token: i & 3 }))
      for (const { code, distance, image, token } of all) nearest.add(code, distance, image, token)
      const { counts, distances, images, tokens } = nearest.finish()
      for (let code = 0; code < codes; code++) {
        const expected = all
          .filter((one) => one.code === code)
          .sort((a, b) => a.distance - b.distance || a.image - b.image || a.token - b.token)
          .slice(0, n)
        const found = Array.from({ length: counts[code] ?? 0 }, (_, i) => ({
          code,
          distance: distances[code * n + i],
          image: images[code * n + i],
          token: tokens[code * n + i],
        }))
        expect(found).toEqual(expected.map((one) => ({ ...one, distance: Math.fround(one.distance) })))
        for (let i = expected.length; i < n; i++) expect(images[code * n + i]).toBe(-1)
      }
    }),
  )
})
