// The seeded generator: repeatable, resumable, uniform enough, and without repeats where it says so.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRandom, restoreRandom } from '#main/model/random'

test('goes on from a stored state', () => {
  const random = createRandom(5)
  random.choose(10, 3)
  const state = JSON.parse(JSON.stringify(random.state())) as number[]
  const restored = restoreRandom(state)
  expect([1, 2, 3].map(() => random.uniform())).toEqual([1, 2, 3].map(() => restored.uniform()))
})

test('seeds differ', () => {
  expect(createRandom(0).uniform()).not.toBe(createRandom(1).uniform())
})

test('uniform numbers lie in [0, 1) with mean one half', () => {
  const random = createRandom(8)
  const drawn = Array.from({ length: 20_000 }, () => random.uniform())
  expect(drawn.every((x) => x >= 0 && x < 1)).toBe(true)
  expect(drawn.reduce((a, b) => a + b) / drawn.length).toBeCloseTo(0.5, 2)
})

test('choose draws without repeats while it can', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 0, max: 80 }),
      (seed, below, count) => {
        const chosen = createRandom(seed).choose(below, count)
        expect(chosen).toHaveLength(count)
        expect(chosen.every((i) => i >= 0 && i < below)).toBe(true)
        if (count <= below) expect(new Set(chosen).size).toBe(count)
      },
    ),
  )
})
