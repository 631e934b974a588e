// One codebook: the plain quantizer of VQ-VAE with any estimator, and OptVQ, which differs in who gets which code while
// training.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { nearestOnLine } from './line'
import { foundInOne, lookUpInOne, onlyBook, toSearchSpace } from './look-up'
import { quantize } from './quantizer'
import { nearestCodes } from './search'
import { sinkhornCodes } from './sinkhorn'
import type { Scheme } from './types'

export function singleScheme(config: RunConfig): Scheme {
  const assign =
    config.quantizer === 'optvq'
      ? (z: tf.Tensor2D, book: tf.Tensor2D): tf.Tensor1D => sinkhornCodes(z, book, config)
      : undefined
  return {
    quantize: (e, books, { statistics, ...context }) => {
      const { output, commitment, codebookLoss, ...answer } = quantize(e, onlyBook(books), config, {
        ...context,
        statistics: statistics?.[0],
        ...(assign && { assign }),
      })
      const error = tf.mul<tf.Scalar>(commitment, config.codeDim)
      return { output, answers: [answer], commitment, codebookLoss, error }
    },
    find: (e, books) => {
      const book = onlyBook(books)
      const searched = toSearchSpace(e, config.distance)
      if (config.quantizer === 'vq' && config.estimator === 'sf_diveq') return nearestOnLine(searched, book)
      const indices = nearestCodes(searched, book)
      return foundInOne(searched, indices, tf.gather(book, indices))
    },
    lookUp: lookUpInOne,
  }
}
