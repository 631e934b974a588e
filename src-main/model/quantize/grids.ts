// Quantizers without a codebook: finite scalar quantization (FSQ, arXiv 2309.15505), which rounds each number to one of a few
// levels, and lookup-free quantization (LFQ, arXiv 2310.05737), which keeps its sign.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { asConstant, withGradient } from '#shared/quantize/custom-gradient'
import { meanSquaredError } from '../ops'
import { foundInOne, lookUpInOne } from './look-up'
import type { Scheme } from './types'

/** `round` in the forward pass; the gradient passes as it is. */
function straightThrough(x: tf.Tensor2D, round: (x: tf.Tensor2D) => tf.Tensor2D): tf.Tensor2D {
  return withGradient(
    [x],
    () => round(x),
    (g) => [g.clone()],
  )
}

const row = (values: number[]): tf.Tensor2D => tf.tensor2d([values])

/** A little room beyond the outermost levels, as the authors leave. */
const spare = 1e-3

/**
 * z [N, D] with D levels → grid points in [−1, 1]: bounded by half·tanh(z + shift) − offset, rounded, divided by
 * ⌊levels/2⌋. An even count of levels has no middle: offset ½, and the shift keeps zero at zero.
 */
export function finiteScalars(z: tf.Tensor2D, levels: readonly number[]): tf.Tensor2D {
  const half = levels.map((count) => ((count - 1) * (1 + spare)) / 2)
  const offset = levels.map((count) => (count % 2 === 0 ? 0.5 : 0))
  const shift = half.map((width, i) => Math.atanh((offset[i] ?? 0) / width))
  const bounded = tf.sub<tf.Tensor2D>(tf.mul(tf.tanh(tf.add(z, row(shift))), row(half)), row(offset))
  const rounded = straightThrough(bounded, (x) => tf.round(x))
  return tf.div(rounded, row(levels.map((count) => Math.floor(count / 2))))
}

/** Every grid point in the order of its index, the first number fastest: [K, D]. */
export function scalarGrid(levels: readonly number[]): number[][] {
  const count = levels.reduce((product, level) => product * level, 1)
  return Array.from({ length: count }, (_, index) => {
    let rest = index
    return levels.map((level) => {
      const place = rest % level
      rest = Math.floor(rest / level)
      return (place - Math.floor(level / 2)) / Math.floor(level / 2)
    })
  })
}

/** Grid points [N, D] → int32 [N]. */
function scalarIndices(points: tf.Tensor2D, levels: readonly number[]): tf.Tensor1D {
  const width = levels.map((level) => Math.floor(level / 2))
  const places = tf.round(tf.add(tf.mul(points, row(width)), row(width))) // [N, D] from 0
  let stride = 1
  const strides = levels.map((level) => {
    const own = stride
    stride *= level
    return own
  })
  return tf.cast(tf.sum(tf.mul(places, row(strides)), 1), 'int32')
}

/** z [N, D] → its signs as ±1 (0 counts as +1); straight-through gradient. */
export function signs(z: tf.Tensor2D): tf.Tensor2D {
  return straightThrough(z, (x) => tf.sub(tf.mul(tf.cast(tf.greaterEqual(x, 0), 'float32'), 2), 1))
}

/** Every row of ±1 in the order of its index, the first number as the highest bit: [2ᴰ, D]. */
export function signGrid(dim: number): number[][] {
  return Array.from({ length: 2 ** dim }, (_, index) =>
    Array.from({ length: dim }, (__, i) => (Math.floor(index / 2 ** (dim - 1 - i)) % 2 === 1 ? 1 : -1)),
  )
}

function signIndices(points: tf.Tensor2D): tf.Tensor1D {
  const dim = points.shape[1]
  const bits = Array.from({ length: dim }, (_, i) => 2 ** (dim - 1 - i))
  return tf.cast(tf.sum(tf.mul(tf.relu(points), row(bits)), 1), 'int32')
}

/** All codes of a fixed grid, [K, D]. */
export function gridCodes(config: Pick<RunConfig, 'quantizer' | 'fsqLevels' | 'codeDim'>): number[][] {
  return config.quantizer === 'fsq' ? scalarGrid(config.fsqLevels) : signGrid(config.codeDim)
}

export function gridScheme(config: RunConfig): Scheme {
  const fsq = config.quantizer === 'fsq'
  const snap = (e: tf.Tensor2D): tf.Tensor2D => (fsq ? finiteScalars(e, config.fsqLevels) : signs(e))
  const indicesOf = (points: tf.Tensor2D): tf.Tensor1D =>
    fsq ? scalarIndices(points, config.fsqLevels) : signIndices(points)
  return {
    quantize: (e, _, { probe }) => {
      const output = snap(probe?.input(e) ?? e)
      const codes = asConstant(() => output.clone())
      const commitment = meanSquaredError(e, codes)
      return {
        output: probe?.output(output, codes) ?? output,
        answers: [{ searched: e, indices: asConstant(() => indicesOf(codes)) }],
        commitment,
        codebookLoss: null,
        error: tf.mul<tf.Scalar>(commitment, config.codeDim),
      }
    },
    find: (e) => {
      const codes = snap(e)
      return foundInOne(e, indicesOf(codes), codes)
    },
    lookUp: lookUpInOne,
  }
}
