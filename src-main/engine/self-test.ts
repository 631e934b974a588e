// A short examination of a running engine: what training rests on (convolution and its gradients, matrix product,
// sums by segment), compared with the same sums written out here in float64.
import type * as TensorFlowCore from '@tensorflow/tfjs-core'
import type { EngineCheck } from '#shared/contract/common'

/** Above this, an engine computes wrongly: float32 sums of this length stay two orders of magnitude below. */
const errorLimit = 1e-4

/** A fixed sequence of numbers in [−1, 1), the same everywhere. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

const sizes = { batch: 2, side: 9, filter: 4, stride: 2, from: 3, to: 5 }
const outSide = Math.floor((sizes.side - sizes.filter) / sizes.stride) + 1

/** Visits every product of the convolution with the positions of its three numbers in x, w and y. */
function eachProduct(visit: (x: number, w: number, y: number) => void): void {
  const { batch, side, filter, stride, from, to } = sizes
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < outSide; i++)
      for (let j = 0; j < outSide; j++)
        for (let k = 0; k < filter; k++)
          for (let l = 0; l < filter; l++)
            for (let c = 0; c < from; c++)
              for (let o = 0; o < to; o++) {
                const x = ((n * side + stride * i + k) * side + stride * j + l) * from + c
                const w = ((k * filter + l) * from + c) * to + o
                visit(x, w, ((n * outSide + i) * outSide + j) * to + o)
              }
}

const at = (values: ArrayLike<number>, index: number): number => values[index] ?? 0

/** The three sums of a convolution and its gradients, in float64. */
function expectedConvolution(x: Float32Array, w: Float32Array, dy: Float32Array) {
  const [y, dx, dw] = [new Float64Array(dy.length), new Float64Array(x.length), new Float64Array(w.length)]
  eachProduct((ix, iw, iy) => {
    y[iy] = at(y, iy) + at(x, ix) * at(w, iw)
    dx[ix] = at(dx, ix) + at(dy, iy) * at(w, iw)
    dw[iw] = at(dw, iw) + at(dy, iy) * at(x, ix)
  })
  return { y, dx, dw }
}

function difference(found: ArrayLike<number>, expected: Float64Array): number {
  let worst = found.length === expected.length ? 0 : Infinity
  let largest = 0
  for (const [i, value] of expected.entries()) {
    const error = Math.abs((found[i] ?? NaN) - value)
    if (!(error <= worst)) worst = error
    largest = Math.max(largest, Math.abs(value))
  }
  return worst / largest
}

/**
 * Runs the examination on tfjs's active backend. An error is max |engine − expected| / max |expected| over the tensor.
 * Leaves no tensor behind.
 */
export function examine(tf: typeof TensorFlowCore): EngineCheck[] {
  const { batch, side, filter, stride, from, to } = sizes
  return tf.tidy(() => {
    const xValues = numbers(batch * side * side * from, 1)
    const wValues = numbers(filter * filter * from * to, 2)
    const dyValues = numbers(batch * outSide * outSide * to, 3)
    const x = tf.tensor4d(xValues, [batch, side, side, from])
    const w = tf.tensor4d(wValues, [filter, filter, from, to])
    const dy = tf.tensor4d(dyValues, [batch, outSide, outSide, to])
    const convolve = (image: TensorFlowCore.Tensor, kernel: TensorFlowCore.Tensor): TensorFlowCore.Tensor =>
      tf.conv2d(image as typeof x, kernel as typeof w, stride, 'valid')
    const [dx, dw] = tf.grads(convolve)([x, w], dy)
    const conv = expectedConvolution(xValues, wValues, dyValues)

    const [rows, inner, columns] = [7, 33, 5]
    const a = numbers(rows * inner, 4)
    const b = numbers(inner * columns, 5)
    const product = new Float64Array(rows * columns)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        for (let k = 0; k < inner; k++)
          product[i * columns + j] =
            at(product, i * columns + j) + at(a, i * inner + k) * at(b, k * columns + j)

    const ids = Int32Array.from({ length: rows }, (_, i) => (i * 3) % 4)
    const sums = new Float64Array(4 * inner)
    a.forEach((value, i) => {
      const target = at(ids, Math.floor(i / inner)) * inner + (i % inner)
      sums[target] = at(sums, target) + value
    })
    const aTensor = tf.tensor2d(a, [rows, inner])
    const found: [string, TensorFlowCore.Tensor | undefined, Float64Array][] = [
      ['convolution', convolve(x, w), conv.y],
      ['convolution, gradient of the input', dx, conv.dx],
      ['convolution, gradient of the filter', dw, conv.dw],
      ['matrix product', tf.matMul(aTensor, tf.tensor2d(b, [inner, columns])), product],
      ['sum by segment', tf.unsortedSegmentSum(aTensor, tf.tensor1d(ids, 'int32'), 4), sums],
    ]
    return found.map(([name, tensor, expected]) => {
      const error = difference(tensor?.dataSync() ?? [], expected)
      return { name, error, pass: error <= errorLimit }
    })
  })
}
