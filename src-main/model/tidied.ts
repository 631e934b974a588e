// `tf.tidy` for results that are an interface of tensors, which tfjs's own types refuse.
import * as tf from '@tensorflow/tfjs-core'

/** Runs `compute` and disposes every tensor it made, besides those in the object it returns. */
export function tidied<T extends object>(compute: () => T): T {
  return tf.tidy(compute as unknown as () => tf.TensorContainerObject) as unknown as T
}
