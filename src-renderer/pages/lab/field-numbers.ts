// From a field's gradients to arrows and to numbers that compare each estimator with the gradient without a
// quantizer. Pure.
import { median } from '#shared/median'
import { arrowPath, toPixels, type PanelScale } from './drawing'
import { angleBetween, lengthOf, plus, rowOf } from './plane'

/** The length that fills one grid cell: nine tenths of all arrows are at most as long. */
export function fullLength(gradients: readonly Float32Array[]): number {
  const lengths = gradients
    .flatMap((rows) => Array.from({ length: rows.length / 2 }, (_, i) => lengthOf(rowOf(rows, i))))
    .filter((length) => Number.isFinite(length))
    .sort((a, b) => a - b)
  return lengths[Math.floor(0.9 * (lengths.length - 1))] ?? 0
}

/** Arrows against the gradient, centred on their places; longer ones than `full` are drawn as long as `full`. */
export function fieldPath(
  scale: PanelScale,
  points: Float32Array,
  gradients: Float32Array,
  full: number,
): string {
  const gridSize = Math.sqrt(points.length / 2)
  const cell = scale.size / gridSize
  let path = ''
  for (let i = 0; 2 * i < points.length; i++) {
    const gradient = rowOf(gradients, i)
    const length = lengthOf(gradient)
    if (!(length > 0) || !Number.isFinite(length)) continue
    const factor = (0.46 * cell * Math.min(1, length / full)) / length
    const middle = toPixels(scale, rowOf(points, i))
    const half = { x: -gradient.x * factor, y: gradient.y * factor }
    path += arrowPath(plus(middle, half, -1), plus(middle, half), 4)
  }
  return path
}

export interface Agreement {
  /** Median angle to the gradient without a quantizer. */
  medianAngle: number
  /** Fraction of places where the step leads uphill: the angle is above 90°. */
  uphill: number
  /** Median of length over the length without a quantizer. */
  medianScale: number
}

export function agreement(gradients: Float32Array, exact: Float32Array): Agreement {
  const angles: number[] = []
  const scales: number[] = []
  for (let i = 0; 2 * i < exact.length; i++) {
    const [own, true_] = [rowOf(gradients, i), rowOf(exact, i)]
    const angle = angleBetween(own, true_)
    const scale = lengthOf(own) / lengthOf(true_)
    if (!Number.isNaN(angle)) angles.push(angle)
    if (Number.isFinite(scale)) scales.push(scale)
  }
  return {
    medianAngle: median(angles),
    uphill: angles.length === 0 ? Number.NaN : angles.filter((angle) => angle > 90).length / angles.length,
    medianScale: median(scales),
  }
}
