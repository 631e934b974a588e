// Smoothing of curves as in TensorBoard: an exponential moving average that is not pulled towards zero at
// its start. Pure.

export const maxSmoothing = 0.999

/**
 * Debiased exponential moving average: m ← w·m + (1−w)·y, divided by 1 − wⁿ after n values.
 * `weight` 0 returns the values, 0.999 smooths most; numbers outside are clamped. A value that is not finite
 * is kept as it is and does not enter the average.
 */
export function smooth(values: ArrayLike<number>, weight: number): Float64Array {
  const w = Math.min(Math.max(weight, 0), maxSmoothing)
  const result = new Float64Array(values.length)
  let mean = 0
  let remaining = 1
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN
    if (!Number.isFinite(value)) {
      result[i] = value
      continue
    }
    mean = w * mean + (1 - w) * value
    remaining *= w
    result[i] = mean / (1 - remaining)
  }
  return result
}
