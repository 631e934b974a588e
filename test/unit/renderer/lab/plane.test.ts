// Geometry under the Lab's pictures: angles, cells, and the scales between numbers and pixels.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  arrowPath,
  fromPixels,
  gridHeight,
  panelGap,
  panelGrid,
  ticksTo,
  toPixels,
} from '../../../../src-renderer/pages/lab/drawing'
import { angleBetween, nearestCode, voronoiCell, type Vector } from '../../../../src-renderer/pages/lab/plane'

const coordinate = fc.integer({ min: -200, max: 200 }).map((value) => value / 100)
const codes = fc.array(coordinate, { minLength: 2, maxLength: 40 }).map((values) => {
  return Float32Array.from(values.slice(0, values.length - (values.length % 2)))
})

/** Twice the signed area. */
function area(polygon: readonly Vector[]): number {
  return polygon.reduce((sum, { x, y }, i) => {
    const next = polygon[(i + 1) % polygon.length] ?? { x, y }
    return sum + x * next.y - y * next.x
  }, 0)
}

function inside(polygon: readonly Vector[], at: Vector): boolean {
  return polygon.every((corner, i) => {
    const next = polygon[(i + 1) % polygon.length] ?? corner
    return (next.x - corner.x) * (at.y - corner.y) - (next.y - corner.y) * (at.x - corner.x) >= -1e-6
  })
}

describe('angles', () => {
  it('are those of a protractor', () => {
    expect(angleBetween({ x: 1, y: 0 }, { x: 0, y: 2 })).toBeCloseTo(90, 10)
    expect(angleBetween({ x: 1, y: 1 }, { x: -3, y: -3 })).toBeCloseTo(180, 10)
    expect(angleBetween({ x: 1, y: 0 }, { x: Math.sqrt(3), y: -1 })).toBeCloseTo(30, 10)
    expect(angleBetween({ x: 0, y: 0 }, { x: 1, y: 0 })).toBeNaN()
  })
})

describe('Voronoi cells', () => {
  it('fill the square without overlap', () => {
    fc.assert(
      fc.property(codes, (rows) => {
        let total = 0
        for (let k = 0; 2 * k < rows.length; k++) total += area(voronoiCell(k, rows, 2))
        expect(total).toBeCloseTo(2 * 16, 4)
      }),
    )
  })

  it('hold the places to which their code is nearest', () => {
    fc.assert(
      fc.property(codes, coordinate, coordinate, (rows, x, y) => {
        expect(inside(voronoiCell(nearestCode(x, y, rows), rows, 2), { x, y })).toBe(true)
      }),
    )
  })

  it('are empty for the second of two equal codes, as the first one is chosen', () => {
    const rows = Float32Array.of(1, 1, 1, 1)
    expect(nearestCode(0, 0, rows)).toBe(0)
    expect(voronoiCell(1, rows, 2)).toEqual([])
  })
})

describe('drawing', () => {
  it('turns pixels back into the same place', () => {
    fc.assert(
      fc.property(coordinate, coordinate, (x, y) => {
        const scale = { size: 400, halfWidth: 2 }
        const back = fromPixels(scale, toPixels(scale, { x, y }))
        expect(back.x).toBeCloseTo(x, 9)
        expect(back.y).toBeCloseTo(y, 9)
      }),
    )
    expect(toPixels({ size: 400, halfWidth: 2 }, { x: -2, y: 2 })).toEqual({ x: 0, y: 0 })
  })

  it('ends an arrow at its tip and draws none without length', () => {
    expect(arrowPath({ x: 0, y: 0 }, { x: 30, y: 40 })).toMatch(/^M0 0L30 40M/)
    expect(arrowPath({ x: 5, y: 5 }, { x: 5, y: 5 })).toBe('')
    expect(arrowPath({ x: 5, y: 5 }, { x: Number.NaN, y: 5 })).toBe('')
  })

  it('never lets panels be wider than their place', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 300, max: 1600 }),
        fc.integer({ min: 280, max: 1000 }),
        (count, width, height) => {
          const { columns, rows, size } = panelGrid(count, width, height)
          expect(columns * rows).toBeGreaterThanOrEqual(count)
          expect(columns * (size + panelGap) - panelGap).toBeLessThanOrEqual(width)
        },
      ),
    )
    expect(gridHeight(panelGrid(0, 700, 500))).toBe(0)
  })

  it('has round ticks that reach over the highest value', () => {
    expect(ticksTo(13.1)).toEqual([0, 5, 10, 15])
    expect(ticksTo(0.83)).toEqual([0, 0.5, 1])
    expect(ticksTo(0)).toEqual([0, 1])
  })
})
