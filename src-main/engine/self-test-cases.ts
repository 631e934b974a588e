// Convolutions and their gradients written out in float64, for an engine to be compared with.

/** A convolution of square images with square filters; `pad`: zeros before the first row and column, and as many behind the last. */
export interface ConvolutionSizes {
  batch: number
  side: number
  filter: number
  stride: number
  pad: 0 | 1
  from: number
  to: number
}

/** Numbers in NHWC, [F, F, from, to] and NHWC, with the gradient of y given. */
export interface ConvolutionCase {
  x: Float32Array
  w: Float32Array
  dy: Float32Array
  expected: Record<'y' | 'dx' | 'dw', Float64Array>
  shapes: Record<'x' | 'w' | 'dy', [number, number, number, number]>
}

/** A fixed sequence of numbers in [−1, 1), the same everywhere. */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

export const at = (values: ArrayLike<number>, index: number): number => values[index] ?? 0

const outSideOf = ({ side, filter, stride, pad }: ConvolutionSizes): number =>
  Math.floor((side + 2 * pad - filter) / stride) + 1

/** Visits every product of the convolution with the positions of its three numbers in x, w and y. */
function eachProduct(sizes: ConvolutionSizes, visit: (x: number, w: number, y: number) => void): void {
  const { batch, side, filter, stride, pad, from, to } = sizes
  const outSide = outSideOf(sizes)
  const inside = (place: number): boolean => place >= 0 && place < side
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < outSide; i++)
      for (let j = 0; j < outSide; j++)
        for (let k = 0; k < filter; k++)
          for (let l = 0; l < filter; l++) {
            const [row, column] = [stride * i + k - pad, stride * j + l - pad]
            if (!inside(row) || !inside(column)) continue
            for (let c = 0; c < from; c++)
              for (let o = 0; o < to; o++) {
                const x = ((n * side + row) * side + column) * from + c
                const w = ((k * filter + l) * from + c) * to + o
                visit(x, w, ((n * outSide + i) * outSide + j) * to + o)
              }
          }
}

/** A convolution of fixed numbers, and its three sums in float64. */
export function convolutionCase(sizes: ConvolutionSizes): ConvolutionCase {
  const { batch, side, filter, from, to } = sizes
  const outSide = outSideOf(sizes)
  const x = numbers(batch * side * side * from, 1)
  const w = numbers(filter * filter * from * to, 2)
  const dy = numbers(batch * outSide * outSide * to, 3)
  const [y, dx, dw] = [new Float64Array(dy.length), new Float64Array(x.length), new Float64Array(w.length)]
  eachProduct(sizes, (ix, iw, iy) => {
    y[iy] = at(y, iy) + at(x, ix) * at(w, iw)
    dx[ix] = at(dx, ix) + at(dy, iy) * at(w, iw)
    dw[iw] = at(dw, iw) + at(dy, iy) * at(x, ix)
  })
  const shapes: ConvolutionCase['shapes'] = {
    x: [batch, side, side, from],
    w: [filter, filter, from, to],
    dy: [batch, outSide, outSide, to],
  }
  return { x, w, dy, expected: { y, dx, dw }, shapes }
}

/** max |found − expected| / max |expected|; infinite where there are other or no numbers. */
export function difference(found: ArrayLike<number>, expected: Float64Array): number {
  let worst = found.length === expected.length ? 0 : Infinity
  let largest = 0
  for (const [i, value] of expected.entries()) {
    // What is not a number stays in the maximum.
    worst = Math.max(worst, Math.abs((found[i] ?? NaN) - value))
    largest = Math.max(largest, Math.abs(value))
  }
  return worst / largest
}
