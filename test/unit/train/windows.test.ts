import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CodeWindows, deadCodes, windowSteps } from '#main/train/windows'

test('a window is one epoch, or 100 steps where an epoch is longer', () => {
  expect([1, 30, 100, 5000].map(windowSteps)).toEqual([1, 30, 100, 100])
})

test('figures come at the end of a window and are of that window alone', () => {
  const windows = new CodeWindows(4, 2)
  expect(windows.add(1, [0, 0])).toBeNull()
  expect(windows.add(2, [1, 1])).toEqual({ usage: 0.5, perplexity: expect.closeTo(2, 12) as number, dead: 2 })
  expect(windows.add(3, [3])).toBeNull()
  expect(windows.last).toEqual({ from: 0, to: 2, counts: [2, 2, 0, 0], revived: 0 })
  expect(windows.running).toEqual({ from: 2, to: 3, counts: [0, 0, 0, 1], revived: 0 })
})

test('revived codes add up over a window, also over a stop', () => {
  const windows = new CodeWindows(2, 3)
  windows.add(1, [0], 2)
  const after = new CodeWindows(2, 3)
  after.restore(windows.running, windows.last)
  expect(after.add(2, [0], 0)).toBeNull()
  expect(after.add(3, [1], 1)).toMatchObject({ revived: 3 })
  after.add(4, [0], 0)
  after.add(5, [0], 0)
  expect(after.add(6, [0], 5)).toMatchObject({ revived: 5 })
})

test('storing and restoring at any step changes nothing', () => {
  const steps = fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(steps, fc.nat(30), fc.integer({ min: 1, max: 9 }), (codes, stop, epoch) => {
      const whole = new CodeWindows(6, epoch)
      let parts = new CodeWindows(6, epoch)
      for (const [i, used] of codes.entries()) {
        if (i === stop) {
          const stored = JSON.parse(JSON.stringify([parts.running, parts.last])) as Parameters<
            CodeWindows['restore']
          >
          parts = new CodeWindows(6, epoch)
          parts.restore(...stored)
        }
        expect(parts.add(i + 1, used)).toEqual(whole.add(i + 1, used))
      }
      expect([parts.running, parts.last]).toEqual([whole.running, whole.last])
    }),
  )
})

describe('dead codes', () => {
  const window = { from: 100, to: 137, counts: [0, 2, 0] }

  test('of the last complete window', () => {
    const lastWindow = { from: 0, to: 100, counts: [1, 0, 0] }
    const { flags, window: words } = deadCodes({ window, lastWindow })
    expect([...flags]).toEqual([0, 1, 1])
    expect(words).toBe('training steps 1 to 100')
  })

  test('of the first window while it is under way', () => {
    const { flags, window: words } = deadCodes({ window: { ...window, from: 0 }, lastWindow: null })
    expect([...flags]).toEqual([1, 0, 1])
    expect(words).toBe('training steps 1 to 137 (the first window, not complete yet)')
  })

  test('before the first step none is called dead', () => {
    const { flags, window: words } = deadCodes({
      window: { from: 0, to: 0, counts: [0, 0] },
      lastWindow: null,
    })
    expect([...flags]).toEqual([0, 0])
    expect(words).toContain('no training step yet')
  })
})
