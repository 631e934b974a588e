// Grouped (multi-head) quantization: each vector is cut into equal parts, and each part has a codebook of its own.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { squaredErrors, toSearchSpace } from './look-up'
import { quantize } from './quantizer'
import { nearestCodes } from './search'
import type { Scheme } from './types'

export function groupedScheme(config: RunConfig): Scheme {
  const cut = (e: tf.Tensor2D): tf.Tensor2D[] => tf.split(e, config.groups, 1)
  const mean = (scalars: readonly tf.Scalar[]): tf.Scalar => tf.div(tf.addN([...scalars]), scalars.length)
  return {
    // Means over all D numbers: the groups are equally wide, so the mean of their means.
    quantize: (e, books, { statistics, probe }) => {
      const parts = cut(e)
      const searchedParts = parts.map((part) => toSearchSpace(part, config.distance))
      const through = probe && cut(probe.input(tf.concat(searchedParts, 1)))
      const found = books.map((book, group) => {
        const part = parts[group]
        if (!part) throw new RangeError(`There is no group ${group}.`)
        return quantize(part, book, config, { statistics: statistics?.[group], through: through?.[group] })
      })
      const output = tf.concat(
        found.map((one) => one.output),
        1,
      )
      const commitment = mean(found.map((one) => one.commitment))
      const losses = found.flatMap((one) => one.codebookLoss ?? [])
      return {
        output: probe?.output(output, output.clone()) ?? output,
        answers: found.map(({ searched, indices, statistics: after }) => ({
          searched,
          indices,
          ...(after && { statistics: after }),
        })),
        commitment,
        codebookLoss: losses.length > 0 ? mean(losses) : null,
        error: tf.mul<tf.Scalar>(commitment, config.codeDim),
      }
    },
    find: (e, books) => {
      const parts = cut(e).map((part) => toSearchSpace(part, config.distance))
      const indices = parts.map((part, group) => nearestCodes(part, books[group] ?? part))
      const chosen = indices.map((index, group) => tf.gather(books[group] ?? e, index))
      const bookErrors = parts.map((part, group) => squaredErrors(part, chosen[group] ?? part))
      const [searched, codes] = [tf.concat(parts, 1), tf.concat(chosen, 1)]
      return { indices, bookErrors, searched, codes, output: codes, error: squaredErrors(searched, codes) }
    },
    lookUp: (indices, books) => {
      const count = indices.find((index) => index !== null)?.size ?? 0
      const parts = books.map((book, group) => {
        const chosen = indices[group]
        return chosen ? tf.gather(book, chosen) : tf.zeros<tf.Rank.R2>([count, book.shape[1]])
      })
      return tf.concat(parts, 1)
    },
  }
}
