// Soft convex quantization (arXiv 2310.03004): each vector becomes a mixture of codes, P·C with shares that are not negative
// and sum to one. What the decoder sees is not a discrete code. This is the paper's scalable approximation (a regularised
// least-squares solution, projected), not the constrained optimum.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { asConstant, withGradient } from '#shared/quantize/custom-gradient'
import { meanSquaredError } from '../ops'
import { foundInOne, lookUp, lookUpInOne, onlyBook } from './look-up'
import { nearestCodes } from './search'
import type { Scheme } from './types'

/** Inverse of a symmetric positive definite matrix [D, D], by Gauss and Jordan; pivots need no search. */
function invert(a: tf.Tensor2D): tf.Tensor2D {
  const size = a.shape[0]
  let work = tf.concat([a, tf.eye(size)], 1) // [D, 2D]
  for (let i = 0; i < size; i++) {
    const row = tf.slice(work, [i, 0], [1, -1]) // [1, 2D]
    const scaled = tf.div(row, tf.slice(row, [0, i], [1, 1]))
    const column = tf.slice(work, [0, i], [-1, 1]) // [D, 1]
    const unit = tf.reshape(tf.oneHot(tf.tensor1d([i], 'int32'), size), [size, 1])
    // Every row loses its multiple of the pivot row, and the pivot row becomes the scaled one.
    work = tf.sub(work, tf.mul(tf.sub(column, unit), scaled))
  }
  return tf.slice(work, [0, size], [-1, size])
}

/** A⁻¹ for symmetric positive definite A; ∇A = −A⁻¹GA⁻¹. */
export function inverse(a: tf.Tensor2D): tf.Tensor2D {
  return withGradient<tf.Tensor2D>(
    [a],
    (save) => {
      const result = tf.tidy(() => invert(a))
      save([result])
      return result
    },
    (g, [saved]) => {
      const result = saved as tf.Tensor2D
      return [tf.neg(tf.matMul(tf.matMul(result, g, true), result, false, true))]
    },
  )
}

/**
 * Rows [N, K] projected on the simplex: max(p − τ, 0) with τ so that they sum to one. The gradient is g minus its mean over
 * the entries that stay positive, and 0 elsewhere.
 */
export function projectOnSimplex(p: tf.Tensor2D): tf.Tensor2D {
  return withGradient<tf.Tensor2D>(
    [p],
    (save) => {
      const result = tf.tidy(() => {
        const size = p.shape[1]
        const sorted = tf.topk(p, size).values // [N, K] descending
        const sums = tf.cumsum(sorted, 1) // [N, K]
        const places = tf.range(1, size + 1) // [K]
        const thresholds = tf.div(tf.sub(sums, 1), places) // [N, K]: τ if so many entries stayed
        const stays = tf.cast(tf.greater(sorted, thresholds), 'float32')
        const kept = tf.sum(stays, 1, true) // [N, 1]
        const last = tf.cast(tf.equal(places, kept), 'float32') // [N, K] one-hot
        const tau = tf.sum(tf.mul(thresholds, last), 1, true) // [N, 1]
        return tf.relu<tf.Tensor2D>(tf.sub(p, tau))
      })
      save([result])
      return result
    },
    (g, [saved]) => {
      const positive = tf.cast(tf.greater(saved as tf.Tensor2D, 0), 'float32') // [N, K]
      const mean = tf.div(tf.sum(tf.mul(g, positive), 1, true), tf.sum(positive, 1, true))
      return [tf.mul(tf.sub(g, mean), positive)]
    },
  )
}

/**
 * Shares [N, K]: P₀ = (CCᵀ+λI)⁻¹(Cz + λ·onehot(nearest)), projected. With q the nearest code this is
 * onehot + C(CᵀC+λI)⁻¹(z − q): a system of D unknowns, not K, and no difference of large numbers.
 */
export function mixtureShares(
  z: tf.Tensor2D,
  codebook: tf.Tensor2D,
  indices: tf.Tensor1D,
  lambda: number,
): tf.Tensor2D {
  const [codes, dim] = codebook.shape
  const oneHot = asConstant(() => tf.cast(tf.oneHot(indices, codes), 'float32') as tf.Tensor2D) // [N, K]
  const gram = tf.matMul(codebook, codebook, true) // [D, D]
  const solved = tf.matMul(
    tf.sub(z, lookUp(codebook, indices)),
    inverse(tf.add(gram, tf.mul(tf.eye(dim), lambda))),
  ) // [N, D]
  return projectOnSimplex(tf.add(oneHot, tf.matMul(solved as tf.Tensor2D, codebook, false, true)))
}

export function softConvexScheme(config: RunConfig): Scheme {
  const mix = (e: tf.Tensor2D, book: tf.Tensor2D): { output: tf.Tensor2D; indices: tf.Tensor1D } => {
    const indices = asConstant(() => nearestCodes(e, book))
    return { output: tf.matMul(mixtureShares(e, book, indices, config.softConvexLambda), book), indices }
  }
  return {
    quantize: (e, books, { probe }) => {
      const { output, indices } = mix(probe?.input(e) ?? e, onlyBook(books))
      const commitment = asConstant(() => meanSquaredError(e, output))
      return {
        output: probe?.output(output, output.clone()) ?? output,
        answers: [{ searched: e, indices }],
        commitment,
        codebookLoss: null,
        error: asConstant(() => tf.mul<tf.Scalar>(commitment, config.codeDim)),
      }
    },
    find: (e, books) => {
      const book = onlyBook(books)
      const { output, indices } = mix(e, book)
      return foundInOne(e, indices, tf.gather(book, indices), output)
    },
    lookUp: lookUpInOne,
  }
}
