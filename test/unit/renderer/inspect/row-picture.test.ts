// The picture of a row against its definition, pixel by pixel: each tile where its cell is, enlarged without smoothing.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rowPicture, tile, type RowTile } from '../../../../src-renderer/pages/inspect/row-picture'

const pixelsOf = (size: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: 3 * size * size }, (_, i) => (31 * i + 97 * seed + 5) % 256)

/** RGBA at a place of the picture. */
function at({ data, width }: { data: Uint8ClampedArray; width: number }, x: number, y: number): number[] {
  return [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)]
}

it('draws every tile into its cell, at any size and any density of the screen', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 32 }),
      fc.constantFrom(1, 1.25, 1.5, 2, 3),
      (columns, size, ratio) => {
        const tiles = Array.from({ length: columns }, (_, i) => ({ pixels: pixelsOf(size, i), faint: false }))
        const picture = rowPicture(tiles, size, ratio)
        expect(picture.width).toBe(Math.round(columns * tile.width * ratio))
        expect(picture.height).toBe(Math.round(tile.picture * ratio))
        expect(picture.data).toHaveLength(4 * picture.width * picture.height)
        for (const [column, { pixels }] of tiles.entries()) {
          const from = Math.round((column * tile.width + tile.inset) * ratio)
          const to = Math.round((column * tile.width + tile.inset + tile.picture) * ratio)
          // The middle and all four corners.
          for (const x of [from, (from + to) >> 1, to - 1])
            for (const y of [0, picture.height >> 1, picture.height - 1]) {
              const row = Math.floor(((y + 0.5) / picture.height) * size)
              const place = Math.floor(((x + 0.5 - from) / (to - from)) * size)
              const rgb = pixels.subarray(3 * (row * size + place), 3 * (row * size + place) + 3)
              expect(at(picture, x, y)).toEqual([...rgb, 255])
            }
          if (from > 0) expect(at(picture, from - 1, 0)[3]).toBe(0)
          if (to < picture.width) expect(at(picture, to, picture.height - 1)[3]).toBe(0)
        }
      },
    ),
  )
})

it('leaves the place of a missing tile empty, and draws unused codes grey and see-through', () => {
  const red = new Uint8Array(12).map((_, i) => (i % 3 === 0 ? 255 : 0))
  const tiles: RowTile[] = [
    { pixels: undefined, faint: false },
    { pixels: red, faint: false },
    { pixels: red, faint: true },
  ]
  const picture = rowPicture(tiles, 2, 1)
  const middle = (column: number): number[] => at(picture, column * tile.width + 30, 30)
  expect(middle(0)).toEqual([0, 0, 0, 0])
  expect(middle(1)).toEqual([255, 0, 0, 255])
  // The luminance of pure red is 0.2126 (ITU-R BT.709).
  expect(middle(2)).toEqual([54, 54, 54, 102])
  expect(rowPicture(tiles.slice(0, 1), 0, 1).data.every((value) => value === 0)).toBe(true)
})
