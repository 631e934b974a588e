// The nearest code of every vector: exact, in chunks of bounded memory, ties to the lowest index.
import * as tf from '@tensorflow/tfjs-core'

/** Scores held at once: 4 M floats, 16 MB. */
const maxScores = 4_194_304

/**
 * z [N, D], codebook [K, D] → int32 [N]. Euclidean: ‖z−c‖² is least where z·c − ‖c‖²/2 is greatest, so ‖z‖² is
 * never needed; with unit vectors the same is the cosine. `chunkRows` is for tests.
 */
export function nearestCodes(z: tf.Tensor2D, codebook: tf.Tensor2D, chunkRows?: number): tf.Tensor1D {
  return tf.tidy(() => {
    const [count] = z.shape
    const rows = chunkRows ?? Math.max(1, Math.floor(maxScores / codebook.shape[0]))
    const halfSquares = tf.mul(tf.sum(tf.square(codebook), 1), 0.5) // [K]
    const search = (chunk: tf.Tensor2D): tf.Tensor1D =>
      tf.argMax(tf.sub(tf.matMul(chunk, codebook, false, true), halfSquares), 1)
    if (count <= rows) return search(z)
    const found: tf.Tensor1D[] = []
    for (let start = 0; start < count; start += rows)
      found.push(tf.tidy(() => search(tf.slice(z, [start, 0], [Math.min(rows, count - start), -1]))))
    return tf.concat(found)
  })
}
