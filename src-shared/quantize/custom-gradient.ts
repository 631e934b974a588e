// An operation with its own gradient, with types. Everything the gradient needs must go through `save`.
import * as tf from '@tensorflow/tfjs-core'

export type Save = (tensors: tf.Tensor[]) => void

/**
 * Runs `forward` as one operation whose gradient to `inputs` is what `backward` returns, in the same order. Tensors
 * that `forward` reads from its surroundings count as constants: no gradient flows to them.
 */
export function withGradient<T extends tf.Tensor>(
  inputs: tf.Tensor[],
  forward: (save: Save) => T,
  backward: (dy: T, saved: tf.Tensor[]) => tf.Tensor[],
): T {
  return tf.customGrad<T>((...args) => ({
    value: forward(args.at(-1) as Save),
    gradFunc: backward,
  }))(...inputs)
}

/** `run` as a constant: nothing in it is recorded, so integer tensors and searches do not reach the gradient. */
export function asConstant<T extends tf.Tensor>(run: () => T): T {
  return withGradient([], run, () => [])
}
