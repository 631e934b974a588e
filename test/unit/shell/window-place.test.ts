// Where the window opens, from whatever the kept file holds.
import { describe, expect, it } from 'vitest'
import { placeFrom } from '#main/shell/window-place'

const screens = [
  { x: 0, y: 0, width: 1920, height: 1080 },
  { x: 1920, y: 0, width: 1280, height: 1024 },
]
const standard = { bounds: { width: 1280, height: 860 }, maximized: false }

describe('placeFrom', () => {
  it('gives back a place on a screen', () => {
    const kept = { bounds: { x: 2000, y: 50, width: 1100, height: 800 }, maximized: true }
    expect(placeFrom(kept, screens)).toEqual(kept)
  })

  it('keeps the size but not the position when the screen has gone', () => {
    const kept = { bounds: { x: 2000, y: 50, width: 1100, height: 800 }, maximized: false }
    expect(placeFrom(kept, screens.slice(0, 1))).toEqual({
      bounds: { width: 1100, height: 800 },
      maximized: false,
    })
    const corner = { bounds: { x: 1850, y: 1000, width: 1100, height: 800 }, maximized: false }
    expect(placeFrom(corner, screens.slice(0, 1)).bounds).toEqual({ width: 1100, height: 800 })
  })

  it('never opens smaller than it can be used', () => {
    const kept = { bounds: { x: 0, y: 0, width: 200, height: 200 }, maximized: false }
    expect(placeFrom(kept, screens).bounds).toMatchObject({ width: 900, height: 600 })
  })

  it.each([
    null,
    undefined,
    7,
    'x',
    [],
    {},
    { bounds: null },
    { bounds: { x: 0, y: 0, width: 1000 } },
    { bounds: { x: 0, y: 0, width: 1000, height: '800' } },
    { bounds: { x: 0.5, y: 0, width: 1000, height: 800 } },
    { bounds: { x: 0, y: 0, width: 1e9, height: 800 } },
    { bounds: { x: NaN, y: 0, width: 1000, height: 800 } },
  ])('takes the standard place for %j', (kept) => {
    expect(placeFrom(kept, screens)).toEqual(standard)
  })
})
