// Runs a function on tensors and brings back numbers: its value, and its gradient to every input for a given gradient
// above. Inputs that get none report zeros, as autograd does.
import * as tf from '@tensorflow/tfjs-core'
import type { VerifiedCase } from '#shared/contract/verify'
import { tidied } from '#main/model/tidied'

type Named<K extends string> = Record<K, tf.Tensor>

export interface Pass<K extends string> {
  value: Float32Array
  gradients: Record<K, Float32Array>
}

export function passThrough<K extends string>(
  inputs: Named<K>,
  upstream: tf.Tensor,
  run: (inputs: Named<K>) => tf.Tensor,
): Pass<K> {
  return tidied(() => {
    const names = Object.keys(inputs) as K[]
    const values = names.map((name) => inputs[name])
    const byName = (tensors: readonly tf.Tensor[]): Named<K> =>
      Object.fromEntries(names.map((name, i) => [name, tensors[i]])) as Named<K>
    // tfjs refuses to differentiate to what the result does not depend on: 0·Σx makes it depend on everything.
    const reach = (tensors: readonly tf.Tensor[]): tf.Tensor =>
      tf.addN(tensors.map((x) => tf.mul(tf.sum(x), 0)))
    const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) =>
      tf.add(run(byName(tensors)), reach(tensors)),
    )(values, upstream)
    return {
      value: value.dataSync<'float32'>(),
      gradients: Object.fromEntries(
        names.map((name, i) => [name, grads[i]?.dataSync<'float32'>() ?? new Float32Array()]),
      ) as Record<K, Float32Array>,
    }
  })
}

/** A case that can't be run never passes. */
export function notSupported(name: string, dim: number, why: string): VerifiedCase {
  return { name, dim, quantities: {}, indicesEqual: false, pass: false, problem: `not supported: ${why}` }
}
