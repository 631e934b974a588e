// Matrix products for tfjs's WASM backend, whose own kernel is fast only for two plain matrices: transposed operands
// and batches go through a slow loop. Here everything is brought to plain products first.
import * as tf from '@tensorflow/tfjs-core'

interface Attributes {
  transposeA: boolean
  transposeB: boolean
}

type Multiply = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor

/** Swaps the last two axes. */
function swap(x: tf.Tensor): tf.Tensor {
  const axes = x.shape.map((_, axis) => axis)
  return tf.transpose(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2])
}

const batchOf = (x: tf.Tensor): number => x.shape.slice(0, -2).reduce((product, size) => product * size, 1)
const lastTwo = (x: tf.Tensor): [number, number] => [x.shape.at(-2) ?? 1, x.shape.at(-1) ?? 1]

/** One plain product for each batch entry; a shared right matrix needs only one for all. */
function inBatches(a: tf.Tensor, b: tf.Tensor, multiply: Multiply): tf.Tensor {
  const [rows, inner] = lastTwo(a)
  const [, columns] = lastTwo(b)
  const batch = batchOf(a)
  const flat = [batch * rows, inner] as [number, number]
  if (batchOf(b) === 1) {
    const product = multiply(tf.reshape(a, flat), tf.reshape(b, [inner, columns])) // [B·M, N]
    const lead = a.rank >= b.rank ? a.shape.slice(0, -2) : b.shape.slice(0, -2)
    return tf.reshape(product, [...lead, rows, columns])
  }
  const same =
    batchOf(b) === batch && a.rank === b.rank && a.shape.slice(0, -2).every((size, i) => size === b.shape[i])
  if (!same) return multiply(a, b)
  const left = tf.reshape(a, [batch * rows, inner])
  const right = tf.reshape(b, [batch * inner, columns])
  const products = Array.from({ length: batch }, (_, i) =>
    multiply(tf.slice(left, [i * rows, 0], [rows, inner]), tf.slice(right, [i * inner, 0], [inner, columns])),
  )
  return tf.reshape(tf.stack(products), [...a.shape.slice(0, -2), rows, columns])
}

/**
 * Resolves the transpositions by moving as little as possible: Aᵀ·B is also (Bᵀ·A)ᵀ, A·Bᵀ is (B·Aᵀ)ᵀ and Aᵀ·Bᵀ is
 * (B·A)ᵀ, and one of the two forms may have far smaller matrices to transpose.
 */
function product(
  a: tf.Tensor,
  b: tf.Tensor,
  { transposeA, transposeB }: Attributes,
  multiply: Multiply,
): tf.Tensor {
  if (!transposeA && !transposeB) return inBatches(a, b, multiply)
  const [rows] = transposeA ? lastTwo(a).reverse() : lastTwo(a)
  const columns = lastTwo(b)[transposeB ? 0 : 1]
  const outSize = Math.max(batchOf(a), batchOf(b)) * (rows ?? 1) * columns
  const direct = (transposeA ? a.size : 0) + (transposeB ? b.size : 0)
  const turned = outSize + (transposeA ? 0 : a.size) + (transposeB ? 0 : b.size)
  if (direct <= turned) return inBatches(transposeA ? swap(a) : a, transposeB ? swap(b) : b, multiply)
  return swap(inBatches(transposeB ? b : swap(b), transposeA ? a : swap(a), multiply))
}

/** The kernel that takes the place of the backend's own, which still does the plain products. */
export function batchMatMul(own: tf.KernelConfig): tf.KernelConfig {
  return {
    ...own,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { a, b } = inputs as unknown as { a: tf.Tensor; b: tf.Tensor }
      const plain = { transposeA: false, transposeB: false }
      const multiply: Multiply = (left, right) => {
        const result = own.kernelFunc({
          inputs: { a: left, b: right },
          attrs: plain,
          backend,
        }) as tf.TensorInfo
        return tf.engine().makeTensorFromTensorInfo(result)
      }
      return tf.tidy(() => product(a, b, attrs as unknown as Attributes, multiply))
    },
  }
}
