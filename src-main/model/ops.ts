// The differentiable pieces that tfjs does not have, or has with many more operations than needed: per-operation
// overhead is a large part of a step. Each says its gradient; each is tested against finite differences.
import * as tf from '@tensorflow/tfjs-core'
import { groupNormKernels, type GroupNormOptions } from '#shared/group-norm'
import { withGradient } from '#shared/quantize/custom-gradient'

type Saved = readonly tf.Tensor[]
type Pair = [tf.Tensor, tf.Tensor]

function take(saved: Saved, index: number): tf.Tensor {
  const tensor = saved[index]
  if (!tensor) throw new RangeError(`No saved tensor ${index}.`)
  return tensor
}

/** max(x, 0); ∇x = g·sign(y), because y is never negative. */
export function relu<T extends tf.Tensor>(x: T): T {
  return withGradient<T>(
    [x],
    (save) => {
      const y = tf.relu(x)
      save([y])
      return y
    },
    (g, saved) => [tf.mul(g, tf.sign(take(saved, 0)))],
  )
}

/** x·σ(x); ∇x = g·s·(1 + x·(1 − s)) with s = σ(x). */
export function silu<T extends tf.Tensor>(x: T): T {
  return withGradient<T>(
    [x],
    (save) => {
      const s = tf.sigmoid(x)
      save([x, s])
      return tf.mul<T>(x, s)
    },
    (g, saved) => {
      const s = take(saved, 1)
      const slope = tf.add(tf.mul(take(saved, 0), tf.sub(1, s)), 1)
      return [tf.mul(tf.mul(g, s), slope)]
    },
  )
}

/** Mean of (x − target)² over all elements; the target counts as constant. ∇x = 2g(x − target)/count. */
export function meanSquaredError(x: tf.Tensor, target: tf.Tensor): tf.Scalar {
  return withGradient<tf.Scalar>(
    [x],
    (save) => {
      const difference = tf.sub(x, target)
      save([difference])
      return tf.mean<tf.Scalar>(tf.square(difference))
    },
    (g, saved) => [tf.mul(take(saved, 0), tf.mul(g, 2 / x.size))],
  )
}

/** [N, C] → its mean over each group of channels, given back to every channel: [N, 1, C]. */
function groupMean(x: tf.Tensor, groups: number): tf.Tensor3D {
  const [count = 0, channels = 0] = x.shape
  if (groups === 1 || groups < channels) {
    const grouped = tf.reshape(x, [count, groups, channels / groups])
    const mean = tf.mean(grouped, 2, true) // [N, G, 1]
    return tf.reshape(tf.tile(mean, [1, 1, channels / groups]), [count, 1, channels])
  }
  return tf.reshape(x, [count, 1, channels])
}

/**
 * Group normalisation with scale and shift, and SiLU where that is said. x [N, P, C] (P positions), scale and shift [C].
 * On an engine that has it as one operation it has a first derivative only.
 */
export function groupNorm(
  x: tf.Tensor3D,
  scale: tf.Tensor,
  shift: tf.Tensor,
  options: GroupNormOptions,
): tf.Tensor3D {
  const { forward, back } = groupNormKernels
  const known = tf.getKernel(forward, tf.getBackend()) as tf.KernelConfig | undefined
  if (!known) {
    const y = composedGroupNorm(x, scale, shift, options)
    return options.silu ? silu(y) : y
  }
  const attributes = { ...options }
  return withGradient<tf.Tensor3D>(
    [x, scale, shift],
    (save) => {
      const inputs = { x, scale, shift }
      const [y, statistics] = tf.engine().runKernel<tf.Tensor[]>(forward, inputs, attributes) as Pair
      save([x, scale, shift, statistics])
      return y as tf.Tensor3D
    },
    (g, saved) => {
      const inputs = { g, x: take(saved, 0), scale: take(saved, 1), shift: take(saved, 2) }
      return tf.engine().runKernel(back, { ...inputs, statistics: take(saved, 3) }, attributes)
    },
  )
}

/**
 * `groupNorm` without SiLU, in the operations that every engine has.
 * With d = scale·g and means over a group: ∇x = (d − mean(d) − x̂·mean(d·x̂))/σ.
 */
export function composedGroupNorm(
  x: tf.Tensor3D,
  scale: tf.Tensor,
  shift: tf.Tensor,
  { groups, epsilon }: Pick<GroupNormOptions, 'groups' | 'epsilon'>,
): tf.Tensor3D {
  const byGroup = (t: tf.Tensor): tf.Tensor3D => groupMean(t, groups)
  return withGradient<tf.Tensor3D>(
    [x, scale, shift],
    (save) => {
      const centred = tf.sub(x, byGroup(tf.mean(x, 1))) // [N, P, C]
      const variance = byGroup(tf.mean(tf.square(centred), 1)) // [N, 1, C]
      const inverse = tf.rsqrt(tf.add(variance, epsilon)) // [N, 1, C]
      const xHat = tf.mul(centred, inverse) // [N, P, C]
      save([xHat, inverse, scale])
      return tf.add<tf.Tensor3D>(tf.mul(xHat, scale), shift)
    },
    (g, saved) => {
      const [xHat, inverse, gamma] = [take(saved, 0), take(saved, 1), take(saved, 2)]
      const positions = x.shape[1]
      const sumG = tf.sum(g, 1) // [N, C]
      const sumGx = tf.sum(tf.mul(g, xHat), 1) // [N, C]
      const meanD = byGroup(tf.mul(sumG, tf.div(gamma, positions))) // [N, 1, C]
      const meanDx = byGroup(tf.mul(sumGx, tf.div(gamma, positions))) // [N, 1, C]
      const direct = tf.sub(tf.mul(g, tf.mul(inverse, gamma)), tf.mul(inverse, meanD))
      const dx = tf.sub(direct, tf.mul(xHat, tf.mul(inverse, meanDx)))
      return [dx, tf.sum(sumGx, 0), tf.sum(sumG, 0)]
    },
  )
}
