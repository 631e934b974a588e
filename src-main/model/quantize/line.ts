// The codes as corners of one long line, for sf_diveq: in training a random point on each of its pieces, afterwards the
// nearest point of all. Both are points between codes, not codes.
import * as tf from '@tensorflow/tfjs-core'
import { asConstant } from '#shared/quantize/custom-gradient'
import { estimators } from '#shared/quantize/index'
import { foundInOne, lookUp } from './look-up'
import { inChunks, nearestCodes } from './search'
import type { Found, StepNoise } from './types'

/** The codes at the starts and at the ends of the K−1 pieces, [K−1, D] each. */
function pieces(codebook: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D] {
  const count = codebook.shape[0] - 1
  return [tf.slice(codebook, [0, 0], [count, -1]), tf.slice(codebook, [1, 0], [count, -1])]
}

/** The code at the nearer end of each vector's piece: int32 [N]. */
function nearerEnd(piece: tf.Tensor1D, t: tf.Tensor2D): tf.Tensor1D {
  const far = tf.cast(tf.greater(tf.squeeze(t, [1]), 0.5), 'int32')
  return tf.add(piece, far)
}

/** e [N, D] → q̃ (see `sf_diveq`), the nearer codes, and the points without noise, which measure the error. */
export function quantizeOnLine(
  e: tf.Tensor2D,
  codebook: tf.Tensor2D,
  { dither, noise, otherNoise }: StepNoise,
): { output: tf.Tensor2D; indices: tf.Tensor1D; points: tf.Tensor2D } {
  if (!dither) throw new RangeError('sf_diveq needs a place on each piece of the line.')
  const piece = asConstant(() => {
    const [starts, ends] = pieces(codebook)
    const dithered = tf.add<tf.Tensor2D>(starts, tf.mul(tf.sub(ends, starts), dither)) // [K−1, D]
    return nearestCodes(e, dithered)
  })
  const next = asConstant(() => tf.add<tf.Tensor1D>(piece, tf.scalar(1, 'int32')))
  const t = asConstant(() => tf.gather(dither, piece)) // [N, 1]
  const [first, second] = [lookUp(codebook, piece), lookUp(codebook, next)] // [N, D]
  const both = noise && otherNoise ? { first: noise, second: otherNoise } : null
  return {
    output: estimators.sf_diveq.apply(e, { first, second, t }, both),
    indices: asConstant(() => nearerEnd(piece, t)),
    points: asConstant(() => tf.add<tf.Tensor2D>(first, tf.mul(tf.sub(second, first), t))),
  }
}

/** The point of the line that is nearest to each vector. e [N, D] */
export function nearestOnLine(e: tf.Tensor2D, codebook: tf.Tensor2D): Found {
  const [starts, ends] = pieces(codebook)
  const along = tf.sub<tf.Tensor2D>(ends, starts) // [K−1, D]
  const lengths = tf.maximum(tf.sum(tf.square(along), 1), 1e-12) // [K−1]
  const offset = tf.sum(tf.mul(starts, along), 1) // [K−1]
  const halfSquares = tf.mul(tf.sum(tf.square(starts), 1), 0.5)
  // With a = (e−c)·d and ‖e−c−td‖² = ‖e−c‖² − 2ta + t²‖d‖²: the greatest e·c − ‖c‖²/2 + ta − t²‖d‖²/2 is nearest.
  const piece = inChunks(e, codebook.shape[0], (chunk) => {
    const a = tf.sub(tf.matMul(chunk, along, false, true), offset) // [n, K−1]
    const t = tf.clipByValue(tf.div(a, lengths), 0, 1)
    const gain = tf.mul(t, tf.sub(a, tf.mul(t, tf.mul(lengths, 0.5))))
    const score = tf.add(tf.sub(tf.matMul(chunk, starts, false, true), halfSquares), gain)
    return tf.argMax(score, 1)
  })
  const [first, direction] = [tf.gather(starts, piece), tf.gather(along, piece)] // [N, D]
  const a = tf.sum(tf.mul(tf.sub(e, first), direction), 1) // [N]
  const t = tf.expandDims<tf.Tensor2D>(tf.clipByValue(tf.div(a, tf.gather(lengths, piece)), 0, 1), 1) // [N, 1]
  const points = tf.add<tf.Tensor2D>(first, tf.mul(direction, t))
  const indices = nearerEnd(piece, t)
  return foundInOne(e, indices, tf.gather(codebook, indices), points)
}
