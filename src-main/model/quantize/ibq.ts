// Index backpropagation (IBQ, arXiv 2412.02692): the code with the highest score is taken, and the gradient goes through
// the scores of all of them, so every code is trained in every step.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { asConstant, withGradient } from '#shared/quantize/custom-gradient'
import { softmax } from '#shared/quantize/softmax'
import { meanSquaredError } from '../ops'
import { foundInOne, lookUp, lookUpInOne, onlyBook } from './look-up'
import { inChunks } from './search'
import type { Scheme } from './types'

/** The one-hot rows in the forward pass, the gradient of `shares` in the backward pass: h = onehot + p − sg(p). */
function hardened(shares: tf.Tensor2D, indices: tf.Tensor1D): tf.Tensor2D {
  return withGradient(
    [shares],
    () => tf.cast(tf.oneHot(indices, shares.shape[1]), 'float32') as tf.Tensor2D,
    (g) => [g.clone()],
  )
}

/** z [N, D], codebook [K, D] → h·C with p = softmax(z·Cᵀ): the best code, with the gradient of the mixture. */
export function indexBackpropagated(
  z: tf.Tensor2D,
  codebook: tf.Tensor2D,
): { output: tf.Tensor2D; indices: tf.Tensor1D } {
  const scores: tf.Tensor2D = tf.matMul(z, codebook, false, true) // [N, K]
  const indices = asConstant(() => tf.argMax<tf.Tensor1D>(scores, 1))
  const shares = softmax(scores)
  return { output: tf.matMul(hardened(shares, indices), codebook), indices }
}

export function ibqScheme(config: RunConfig): Scheme {
  return {
    quantize: (e, books, { probe }) => {
      const book = onlyBook(books)
      const { output, indices } = indexBackpropagated(probe?.input(e) ?? e, book)
      const codes = lookUp(book, indices)
      const commitment = meanSquaredError(e, codes)
      return {
        output: probe?.output(output, codes) ?? output,
        answers: [{ searched: e, indices }],
        commitment,
        codebookLoss: meanSquaredError(codes, e),
        error: tf.mul<tf.Scalar>(commitment, config.codeDim),
      }
    },
    find: (e, books) => {
      const book = onlyBook(books)
      const best = (chunk: tf.Tensor2D): tf.Tensor1D => tf.argMax(tf.matMul(chunk, book, false, true), 1)
      const indices = inChunks(e, book.shape[0], best)
      return foundInOne(e, indices, tf.gather(book, indices))
    },
    lookUp: lookUpInOne,
  }
}
