// A short examination of a running engine: what training rests on (convolution and its gradients, matrix product,
// sums by segment; where graphs run, what is compiled too), compared with the same sums written out here in float64.
import type * as TensorFlowCore from '@tensorflow/tfjs-core'
import type { EngineCheck } from '#shared/contract/common'
import { bfloat16Refusal } from './precision'
import { at, convolutionCase, difference, numbers } from './self-test-cases'
import { examineCompiled } from './self-test-compiled'
import type { Engine } from './types'

/** Above this, an engine computes wrongly: float32 sums of this length stay two orders of magnitude below. */
const errorLimit = 1e-4

const sizes = { batch: 2, side: 9, filter: 4, stride: 2, pad: 0, from: 3, to: 5 } as const

function examineEager(tf: typeof TensorFlowCore): EngineCheck[] {
  return tf.tidy(() => {
    const { x: xValues, w: wValues, dy: dyValues, expected: conv, shapes } = convolutionCase(sizes)
    const x = tf.tensor4d(xValues, shapes.x)
    const w = tf.tensor4d(wValues, shapes.w)
    const dy = tf.tensor4d(dyValues, shapes.dy)
    const convolve = (image: TensorFlowCore.Tensor, kernel: TensorFlowCore.Tensor): TensorFlowCore.Tensor =>
      tf.conv2d(image as typeof x, kernel as typeof w, sizes.stride, 'valid')
    const [dx, dw] = tf.grads(convolve)([x, w], dy)

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

/**
 * Runs the examination on tfjs's active backend, which is `engine`'s. An error is max |engine − expected| / max |expected| over
 * the tensor. Leaves no tensor behind.
 */
export function examine({ id, tf, graphs }: Pick<Engine, 'id' | 'tf' | 'graphs'>): EngineCheck[] {
  const eager = examineEager(tf)
  return graphs ? [...eager, ...examineCompiled(graphs, errorLimit, bfloat16Refusal(id) === null)] : eager
}
