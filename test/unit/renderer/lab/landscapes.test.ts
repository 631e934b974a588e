// The functions of the Lab: their gradients against finite differences, their minima against the literature.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { landscapes } from '../../../../src-renderer/pages/lab/landscapes'

const coordinate = fc.double({ min: -5, max: 5, noNaN: true })

describe('gradients', () => {
  it.each(Object.keys(landscapes) as (keyof typeof landscapes)[])('of %s are its slopes', (name) => {
    const { value, gradient } = landscapes[name]
    fc.assert(
      fc.property(coordinate, coordinate, (x, y) => {
        // Beside the line on which the logarithm is −∞, differences say nothing.
        fc.pre(name !== 'ridge' || Math.abs(0.5 * x + Math.tanh(y)) > 0.05)
        const h = 1e-5
        const [dx, dy] = gradient(x, y)
        const size = 1 + Math.hypot(dx, dy)
        expect(Math.abs((value(x + h, y) - value(x - h, y)) / (2 * h) - dx) / size).toBeLessThan(1e-5)
        expect(Math.abs((value(x, y + h) - value(x, y - h)) / (2 * h) - dy) / size).toBeLessThan(1e-5)
      }),
    )
  })

  it('stay finite on the line where the logarithm is not', () => {
    expect(landscapes.ridge.gradient(0, 0).every(Number.isFinite)).toBe(true)
  })
})

it.each([
  [3, 2],
  [-2.805118, 3.131312],
  [-3.77931, -3.283186],
  [3.584428, -1.848126],
])('Himmelblau’s function is zero at (%f, %f)', (x, y) => {
  expect(landscapes.himmelblau.value(x, y)).toBeLessThan(1e-8)
})
