// The nearest code of every vector: exact, in chunks of bounded memory, ties to the lowest index.
import * as tf from '@tensorflow/tfjs-core'

/** Scores held at once: 4 M floats, 16 MB. */
const maxScores = 4_194_304

/**
 * z·c − ‖c‖²/2 for z [N, D] and codebook [K, D] → [N, K]: greatest where ‖z−c‖² is least, so ‖z‖² is never needed; with
 * unit vectors the same is the cosine. Differentiable.
 */
export function nearness(z: tf.Tensor2D, codebook: tf.Tensor2D): tf.Tensor2D {
  const halfSquares = tf.mul(tf.sum(tf.square(codebook), 1), 0.5) // [K]
  return tf.sub(tf.matMul(z, codebook, false, true), halfSquares)
}

/** ‖z−c‖² for every vector and code, [N, K]; zero where rounding would make it negative. */
export function squaredDistances(z: tf.Tensor2D, codebook: tf.Tensor2D): tf.Tensor2D {
  const squares = tf.sum(tf.square(z), 1, true) // [N, 1]
  return tf.relu(tf.sub(squares, tf.mul(nearness(z, codebook), 2)))
}

/** `search` on slices of z [N, D] of so many rows that there are at most `maxScores` for `width` codes. */
export function inChunks(
  z: tf.Tensor2D,
  width: number,
  search: (chunk: tf.Tensor2D) => tf.Tensor1D,
  chunkRows?: number,
): tf.Tensor1D {
  const [count] = z.shape
  const rows = chunkRows ?? Math.max(1, Math.floor(maxScores / width))
  if (count <= rows) return tf.tidy(() => search(z))
  return tf.tidy(() => {
    const found: tf.Tensor1D[] = []
    for (let start = 0; start < count; start += rows)
      found.push(tf.tidy(() => search(tf.slice(z, [start, 0], [Math.min(rows, count - start), -1]))))
    return tf.concat(found)
  })
}

/** z [N, D], codebook [K, D] → int32 [N]. `chunkRows` is for tests. */
export function nearestCodes(z: tf.Tensor2D, codebook: tf.Tensor2D, chunkRows?: number): tf.Tensor1D {
  return tf.tidy(() => {
    const halfSquares = tf.mul(tf.sum(tf.square(codebook), 1), 0.5) // [K]
    const search = (chunk: tf.Tensor2D): tf.Tensor1D =>
      tf.argMax(tf.sub(tf.matMul(chunk, codebook, false, true), halfSquares), 1)
    return inChunks(z, codebook.shape[0], search, chunkRows)
  })
}
