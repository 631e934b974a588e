// Codes that start from data: vectors of the first batch, or the centres of ten rounds of k-means on them.
import * as tf from '@tensorflow/tfjs-core'
import type { Random } from '../random'
import { onCodeSpace, type CodebookConfig } from './codebook'
import { nearestCodes } from './search'

export const kmeansIterations = 10

/** K random rows of vectors [N, D]; a row comes twice only where there are fewer than K. */
export function dataCodes(vectors: tf.Tensor2D, codebookSize: number, random: Random): tf.Tensor2D {
  return tf.tidy(() =>
    tf.gather(vectors, tf.tensor1d(random.choose(vectors.shape[0], codebookSize), 'int32')),
  )
}

/** One round of k-means (Lloyd): the mean of each code's vectors; a code without vectors stays where it is. */
function improve(codes: tf.Tensor2D, vectors: tf.Tensor2D, config: CodebookConfig): tf.Tensor2D {
  const indices = nearestCodes(vectors, codes)
  const sums = tf.unsortedSegmentSum(vectors, indices, config.codebookSize) // [K, D]
  const ones = tf.ones<tf.Rank.R1>([vectors.shape[0]])
  const counts = tf.expandDims(tf.unsortedSegmentSum(ones, indices, config.codebookSize), 1) // [K, 1]
  const means = tf.div<tf.Tensor2D>(sums, tf.maximum(counts, 1))
  return tf.where(tf.greater(counts, 0), onCodeSpace(means, config.distance), codes)
}

/** vectors [N, D] in the space of the search → K codes. */
export function kmeansCodes(vectors: tf.Tensor2D, config: CodebookConfig, random: Random): tf.Tensor2D {
  let codes = dataCodes(vectors, config.codebookSize, random)
  for (let i = 0; i < kmeansIterations; i++) {
    const next = tf.tidy(() => improve(codes, vectors, config))
    codes.dispose()
    codes = next
  }
  return codes
}
