// Measures a model on images: the metrics of docs/metrics.md over a whole split.
import * as tf from '@tensorflow/tfjs-core'
import { effectiveCommitment, totalCodes } from '#shared/config/index'
import type { ValidationMetrics } from '#shared/contract/common'
import type { PackReader } from '#main/data/pack-reader'
import type { VqModel } from '#main/model/index'
import type { Computation, Forward } from './forward'
import { EvaluationSums } from './metrics'
import { forEachBatch, type PassOptions } from './passes'

/** How a batch is rebuilt, and how far its vectors are from what became of them. */
const measuring: Computation<'indices' | 'mse' | 'error' | 'bookError'> = {
  name: 'measure',
  compute: (model, x) => {
    const found = model.nearest(model.encode(x))
    const decoded = model.decode(found.output) // [N, S, S, C]
    return {
      indices: found.indices,
      mse: tf.mean(tf.squaredDifference(decoded, x)),
      error: tf.mean(found.error),
      bookError: tf.mul(tf.mean(found.bookErrors), model.quantizer.books),
    }
  },
}

/** Metrics over the images at `indices` (at least one), in order. */
export async function evaluate(
  { model, forward }: { model: VqModel; forward: Forward },
  pack: PackReader,
  indices: Int32Array,
  options: PassOptions = {},
): Promise<ValidationMetrics> {
  const { config } = model
  const sums = new EvaluationSums({
    codebookSize: totalCodes(config),
    codeDim: config.codeDim,
    commitmentWeight: effectiveCommitment(config),
  })
  await forEachBatch(
    { forward, pack, indices },
    measuring,
    (results, part) =>
      sums.add({
        images: part.length,
        indices: results.indices,
        mse: results.mse[0] ?? Number.NaN,
        error: results.error[0] ?? Number.NaN,
        bookError: results.bookError[0] ?? Number.NaN,
      }),
    options,
  )
  return sums.finish()
}
