// Between vectors and codes: the space of the search, and rows of a codebook by index.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { withGradient } from '#shared/quantize/custom-gradient'
import { normaliseRows } from '#shared/quantize/normalise'
import type { Found } from './types'

/** Rows of the codebook by index; the gradient adds up per code. The indices stay off the tape. */
export function lookUp(codebook: tf.Tensor2D, indices: tf.Tensor1D): tf.Tensor2D {
  return withGradient<tf.Tensor2D>(
    [codebook],
    (save) => {
      save([indices])
      return tf.gather(codebook, indices)
    },
    (g, [saved]) => [tf.unsortedSegmentSum(g, saved as tf.Tensor1D, codebook.shape[0])],
  )
}

/** Encoder outputs in the space where codes are sought. */
export function toSearchSpace(e: tf.Tensor2D, distance: RunConfig['distance']): tf.Tensor2D {
  return distance === 'cosine' ? normaliseRows(e) : e
}

export function squaredErrors(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor1D {
  return tf.sum(tf.squaredDifference(a, b), 1)
}

/** What a single codebook found; `output` where the decoder sees something else than the codes. */
export function foundInOne(
  searched: tf.Tensor2D,
  indices: tf.Tensor1D,
  codes: tf.Tensor2D,
  output = codes,
): Found {
  const error = squaredErrors(searched, output)
  return { indices: [indices], bookErrors: [error], searched, codes, output, error }
}

/** Codes of a single codebook for its `Scheme.lookUp`. */
export function lookUpInOne(
  [indices]: readonly (tf.Tensor1D | null)[],
  [book]: readonly tf.Tensor2D[],
): tf.Tensor2D {
  if (!indices || !book) throw new RangeError('A single codebook was left out.')
  return lookUp(book, indices)
}

/** The only codebook of a scheme that has one. */
export function onlyBook(books: readonly tf.Tensor2D[]): tf.Tensor2D {
  const [book] = books
  if (!book) throw new RangeError('There is no codebook.')
  return book
}
