// Residual quantization: each codebook answers what the ones before it left over. With a rotation as estimator this is
// RaRSQ (arXiv 2506.03863), but for its commitment, which as printed pushes vectors off their codes, and for what is left
// over: codes are taken off as constants, as in vector-quantize-pytorch (docs/estimators.md).
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { asConstant } from '#shared/quantize/custom-gradient'
import { squaredErrors } from './look-up'
import { quantize, type Quantized } from './quantizer'
import { nearestCodes } from './search'
import type { Found, Scheme, StepContext } from './types'

const add = (a: tf.Tensor | null, b: tf.Tensor): tf.Tensor => (a ? tf.add(a, b) : b)

/** q̃_d = estimator(r_{d−1}, q_d), r_d = r_{d−1} − sg(q_d), r₀ = e; the output is the sum of all q̃_d. */
function levels(
  e: tf.Tensor2D,
  books: readonly tf.Tensor2D[],
  config: RunConfig,
  context: StepContext,
): { found: Quantized[]; left: tf.Tensor2D } {
  const found: Quantized[] = []
  let left = e
  // A path of its own also without a probe: gradients must add up in the same order, or looking would change bits.
  let through = context.probe?.input(e) ?? e.clone()
  books.forEach((book, level) => {
    const statistics = context.statistics?.[level]
    const one = quantize(left, book, config, { statistics, through })
    found.push(one)
    const code = asConstant(() => one.output.clone())
    left = tf.sub(left, code)
    through = tf.sub(through, code)
  })
  return { found, left }
}

export function residualScheme(config: RunConfig): Scheme {
  return {
    quantize: (e, books, context) => {
      const { found, left } = levels(e, books, config, context)
      const sum = (part: (one: Quantized) => tf.Tensor | null): tf.Tensor | null =>
        found.reduce<tf.Tensor | null>((total, one) => {
          const tensor = part(one)
          return tensor ? add(total, tensor) : total
        }, null)
      const output = sum((one) => one.output) as tf.Tensor2D
      const codes = asConstant(() => output.clone())
      return {
        output: context.probe?.output(output, codes) ?? output,
        answers: found.map(({ searched, indices, statistics }) => ({
          searched,
          indices,
          ...(statistics && { statistics }),
        })),
        commitment: sum((one) => one.commitment) as tf.Scalar,
        codebookLoss: sum((one) => one.codebookLoss) as tf.Scalar | null,
        error: asConstant(() => tf.mean<tf.Scalar>(tf.sum(tf.square(left), 1))),
      }
    },
    find: (e, books): Found => {
      let left = e
      const indices: tf.Tensor1D[] = []
      const bookErrors: tf.Tensor1D[] = []
      for (const book of books) {
        const chosen = nearestCodes(left, book)
        left = tf.sub(left, tf.gather(book, chosen))
        indices.push(chosen)
        bookErrors.push(tf.sum(tf.square(left), 1))
      }
      const codes = tf.sub<tf.Tensor2D>(e, left)
      return { indices, bookErrors, searched: e, codes, output: codes, error: squaredErrors(e, codes) }
    },
    lookUp: (indices, books) => {
      const parts = books.flatMap((book, level) => {
        const chosen = indices[level]
        return chosen ? [tf.gather(book, chosen)] : []
      })
      return tf.addN(parts)
    },
  }
}
