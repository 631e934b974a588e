// The median by its definition: as many values below as above, whatever their order.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { median } from '#shared/median'

test('the middle one, or the mean of the two in the middle', () => {
  expect([median([7]), median([9, 1, 5]), median([4, 10, 2, 3])]).toEqual([7, 5, 3.5])
  expect(median([])).toBeNaN()
})

test('at most half of the values lie on either side, and the list is left as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
      const before = [...values]
      const middle = median(values)
      expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2)
      expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2)
      expect(values).toEqual(before)
    }),
  )
})
