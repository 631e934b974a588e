// Codes that start from data: some of its vectors, or the centres of ten rounds of k-means on them. The vectors may be
// far more than fit into memory: each round is one pass over their stream.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import type { Random } from '../random'
import { onCodeSpace, type CodebookConfig } from './codebook'
import { nearestCodes } from './search'
import type { VectorStream } from './vector-stream'

export const kmeansIterations = 10

/** How often the vectors are gone through for one codebook. */
export function startPasses(init: RunConfig['codebookInit']): number {
  return init === 'kmeans' ? 1 + kmeansIterations : init === 'data' ? 1 : 0
}

/** Sums [K, D] and numbers [K, 1] of the vectors that chose each code, so far. */
interface Totals {
  sums: tf.Tensor2D
  counts: tf.Tensor2D
}

function noTotals({ codebookSize, codeDim }: CodebookConfig): Totals {
  return { sums: tf.zeros([codebookSize, codeDim]), counts: tf.zeros([codebookSize, 1]) }
}

function withPart({ sums, counts }: Totals, codes: tf.Tensor2D, part: tf.Tensor2D): Totals {
  const [codebookSize] = codes.shape
  const indices = nearestCodes(part, codes)
  const ones = tf.ones<tf.Rank.R2>([part.shape[0], 1])
  return {
    sums: tf.add(sums, tf.unsortedSegmentSum(part, indices, codebookSize)),
    counts: tf.add(counts, tf.unsortedSegmentSum(ones, indices, codebookSize)),
  }
}

/** The mean of each code's vectors (Lloyd); a code without vectors stays where it is. */
function centres({ sums, counts }: Totals, codes: tf.Tensor2D, config: CodebookConfig): tf.Tensor2D {
  const means = tf.div<tf.Tensor2D>(sums, tf.maximum(counts, 1))
  return tf.where(tf.greater(counts, 0), onCodeSpace(means, config.distance), codes)
}

/** K random vectors of the stream; one comes twice only where there are fewer than K. */
export async function dataCodes(
  vectors: VectorStream,
  codebookSize: number,
  random: Random,
): Promise<tf.Tensor2D> {
  const chosen = random.choose(vectors.count, codebookSize)
  const order = Array.from(chosen.keys()).sort((a, b) => (chosen[a] ?? 0) - (chosen[b] ?? 0))
  const found: tf.Tensor2D[] = []
  let at = 0
  try {
    await vectors.each((part, start) => {
      const rows: number[] = []
      for (; at < order.length; at++) {
        const row = (chosen[order[at] ?? 0] ?? 0) - start
        if (row >= part.shape[0]) break
        rows.push(row)
      }
      if (rows.length > 0) found.push(tf.tidy(() => tf.gather(part, tf.tensor1d(rows, 'int32'))))
    })
    const places = new Int32Array(codebookSize)
    for (const [place, code] of order.entries()) places[code] = place
    return tf.tidy(() => tf.gather(tf.concat(found), tf.tensor1d(places, 'int32')))
  } finally {
    tf.dispose(found)
  }
}

/** One round of k-means over the whole stream → the next codes [K, D]. */
async function improve(
  codes: tf.Tensor2D,
  vectors: VectorStream,
  config: CodebookConfig,
): Promise<tf.Tensor2D> {
  let totals = noTotals(config)
  try {
    await vectors.each((part) => {
      const next = tf.tidy(() => ({ ...withPart(totals, codes, part) }))
      tf.dispose([totals.sums, totals.counts])
      totals = next
    })
    return tf.tidy(() => centres(totals, codes, config))
  } finally {
    tf.dispose([totals.sums, totals.counts])
  }
}

/** Vectors in the space of the search → K codes [K, D]. What the stream throws ends it, and nothing is left behind. */
export async function kmeansCodes(
  vectors: VectorStream,
  config: CodebookConfig,
  random: Random,
): Promise<tf.Tensor2D> {
  let codes = await dataCodes(vectors, config.codebookSize, random)
  for (let round = 0; round < kmeansIterations; round++) {
    try {
      const next = await improve(codes, vectors, config)
      codes.dispose()
      codes = next
    } catch (error) {
      codes.dispose()
      throw error
    }
  }
  return codes
}

/** The same at once, for vectors [N, D] that are all there and a start [K, D]. Call inside `tf.tidy`. */
export function kmeansCentres(vectors: tf.Tensor2D, start: tf.Tensor2D, config: CodebookConfig): tf.Tensor2D {
  let codes = start
  for (let round = 0; round < kmeansIterations; round++)
    codes = centres(withPart(noTotals(config), codes, vectors), codes, config)
  return codes
}
