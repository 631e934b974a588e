// Vectors that are too many to be held at once: they come in parts, as often as asked. Knows no source of them.
import * as tf from '@tensorflow/tfjs-core'

export interface VectorStream {
  /** How many vectors there are. */
  readonly count: number
  /**
   * Calls `visit` with every part [n, D] and the number of vectors before it, in the same order each time. A part is
   * disposed when `visit` has returned.
   */
  each(visit: (part: tf.Tensor2D, start: number) => void | Promise<void>): Promise<void>
}

/** The stream with `change` made to each part; it must keep the number of rows. */
export function mapped(stream: VectorStream, change: (part: tf.Tensor2D) => tf.Tensor2D): VectorStream {
  return {
    count: stream.count,
    each: (visit) =>
      stream.each(async (part, start) => {
        const changed = tf.tidy(() => change(part))
        try {
          await visit(changed, start)
        } finally {
          if (changed !== part) changed.dispose()
        }
      }),
  }
}

/** Vectors [N, D] that are all there, in parts of `rows`; the caller keeps them. */
export function streamOf(vectors: tf.Tensor2D, rows = vectors.shape[0]): VectorStream {
  const [count] = vectors.shape
  return {
    count,
    each: async (visit) => {
      for (let start = 0; start < count; start += rows) {
        const part = tf.slice(vectors, [start, 0], [Math.min(rows, count - start), -1])
        try {
          await visit(part, start)
        } finally {
          part.dispose()
        }
      }
    },
  }
}
