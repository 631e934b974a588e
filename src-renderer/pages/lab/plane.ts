// Geometry of the plane, for pictures and the numbers beside them. Pure; angles in degrees, 0 to 180.

export interface Vector {
  readonly x: number
  readonly y: number
}

export const minus = (a: Vector, b: Vector): Vector => ({ x: a.x - b.x, y: a.y - b.y })
export const plus = (a: Vector, b: Vector, scale = 1): Vector => ({
  x: a.x + scale * b.x,
  y: a.y + scale * b.y,
})
export const dot = (a: Vector, b: Vector): number => a.x * b.x + a.y * b.y
export const lengthOf = (a: Vector): number => Math.hypot(a.x, a.y)

/** The angle between two vectors; NaN where one of them has no direction. */
export function angleBetween(a: Vector, b: Vector): number {
  if (lengthOf(a) === 0 || lengthOf(b) === 0) return Number.NaN
  return (Math.atan2(Math.abs(a.x * b.y - a.y * b.x), dot(a, b)) * 180) / Math.PI
}

/** Row `index` of rows of pairs. */
export function rowOf(rows: Float32Array, index: number): Vector {
  return { x: rows[2 * index] ?? Number.NaN, y: rows[2 * index + 1] ?? Number.NaN }
}

/** Index of the code nearest to (x, y), the lowest where several are; codes [K, 2]. */
export function nearestCode(x: number, y: number, codes: Float32Array): number {
  let best = 0
  let bestSquared = Infinity
  for (let k = 0; 2 * k < codes.length; k++) {
    const dx = x - (codes[2 * k] ?? 0)
    const dy = y - (codes[2 * k + 1] ?? 0)
    const squared = dx * dx + dy * dy
    if (squared < bestSquared) {
      bestSquared = squared
      best = k
    }
  }
  return best
}

/**
 * The cell of code `index` in the square [−halfWidth, halfWidth]²: all places to which no other code is nearer, as
 * the corners of a polygon. Empty where another code at the same place comes first.
 */
export function voronoiCell(index: number, codes: Float32Array, halfWidth: number): Vector[] {
  const own = rowOf(codes, index)
  let cell: Vector[] = [
    { x: -halfWidth, y: -halfWidth },
    { x: halfWidth, y: -halfWidth },
    { x: halfWidth, y: halfWidth },
    { x: -halfWidth, y: halfWidth },
  ]
  for (let other = 0; 2 * other < codes.length; other++) {
    if (other === index) continue
    const towards = minus(rowOf(codes, other), own)
    if (lengthOf(towards) === 0) {
      if (other < index) return []
      continue
    }
    const middle = plus(own, towards, 0.5)
    cell = clip(cell, (at) => dot(minus(at, middle), towards))
  }
  return cell
}

/** The part of a convex polygon where `side` is not positive. */
function clip(polygon: readonly Vector[], side: (at: Vector) => number): Vector[] {
  const kept: Vector[] = []
  polygon.forEach((corner, i) => {
    const before = polygon.at(i - 1) ?? corner
    const here = side(corner)
    const there = side(before)
    if (here > 0 !== there > 0) kept.push(plus(before, minus(corner, before), there / (there - here)))
    if (here <= 0) kept.push(corner)
  })
  return kept
}
