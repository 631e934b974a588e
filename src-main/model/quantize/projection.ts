// Learned linear maps around the quantizer, where vectors between the networks are of another width than the codes.
import * as tf from '@tensorflow/tfjs-core'
import { latentWidth } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import type { Random } from '../random'

export interface Projection {
  trainable: ReadonlyMap<string, tf.Variable>
  /** [N, L] → [N, D] */
  enter: (e: tf.Tensor2D) => tf.Tensor2D
  /** [N, D] → [N, L] */
  leave: (codes: tf.Tensor2D) => tf.Tensor2D
}

const identity: Projection = { trainable: new Map(), enter: (e) => e, leave: (codes) => codes }

/** Weights and biases start uniform in ±1/√(inputs), as PyTorch's linear layers. */
export function createProjection(config: RunConfig, random: Random): Projection {
  if (config.latentDim === 0) return identity
  const [outside, inside] = [latentWidth(config), config.codeDim]
  const trainable = new Map<string, tf.Variable>()
  const linear = (name: string, from: number, to: number): ((x: tf.Tensor2D) => tf.Tensor2D) => {
    const bound = 1 / Math.sqrt(from)
    const draw = (length: number): Float32Array =>
      Float32Array.from({ length }, () => (2 * random.uniform() - 1) * bound)
    const [weight, bias] = tf.tidy(
      () =>
        [tf.variable(tf.tensor2d(draw(from * to), [from, to])), tf.variable(tf.tensor1d(draw(to)))] as const,
    )
    trainable.set(`${name}.weight`, weight)
    trainable.set(`${name}.bias`, bias)
    return (x) => tf.add(tf.matMul(x, weight as tf.Tensor2D), bias)
  }
  const enter = linear('quantizer.project_in', outside, inside)
  const leave = linear('quantizer.project_out', inside, outside)
  return { trainable, enter, leave }
}
