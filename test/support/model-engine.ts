// An engine for tests of the mathematics: TensorFlow where it is installed, else WASM. Both run the same kernels
// as a training run does.
import type * as tf from '@tensorflow/tfjs-core'
import { loadEngine, type Engine } from '#main/engine/index'
import { streamOf, type Random, type VqModel } from '#main/model/index'

export function startTestEngine(): Promise<Engine> {
  return loadEngine('auto')
}

/** Starts a model's codebook from these images [N, S, S, C], where its configuration asks for it. */
export async function startFrom(model: VqModel, images: tf.Tensor4D, random: Random): Promise<void> {
  const vectors = model.vectors(images)
  try {
    await model.initialiseCodebook(streamOf(vectors), random)
  } finally {
    vectors.dispose()
  }
}
