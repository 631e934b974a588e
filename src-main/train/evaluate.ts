// Measures a model on images: the metrics of docs/metrics.md over a whole split.
import * as tf from '@tensorflow/tfjs-core'
import { effectiveCommitment, totalCodes } from '#shared/config/index'
import type { ValidationMetrics } from '#shared/contract/common'
import type { PackReader } from '#main/data/pack-reader'
import type { VqModel } from '#main/model/index'
import { EvaluationSums } from './metrics'
import { forEachBatch, type PassOptions } from './passes'

/** Metrics over the images at `indices` (at least one), in order. */
export async function evaluate(
  model: VqModel,
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
  const visit = (x: tf.Tensor4D): void => {
    const found = model.nearest(model.encode(x))
    const decoded = model.decode(found.output) // [N, S, S, C]
    const mse = tf.mean(tf.squaredDifference(decoded, x))
    const error = tf.mean(found.error)
    const bookError = tf.mul(tf.mean(found.bookErrors), model.quantizer.books)
    sums.add({
      images: x.shape[0],
      indices: found.indices.dataSync(),
      mse: mse.dataSync()[0] ?? Number.NaN,
      error: error.dataSync()[0] ?? Number.NaN,
      bookError: bookError.dataSync()[0] ?? Number.NaN,
    })
  }
  await forEachBatch(pack, indices, visit, options)
  return sums.finish()
}
