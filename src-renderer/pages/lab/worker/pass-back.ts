// Runs an estimator of `src-shared/quantize`, the very code that training runs, on rows in the plane: forward, then
// its own gradient for the g that arrives. Needs a tfjs backend to be registered; owns no state.
import * as tf from '@tensorflow/tfjs-core'
import { withGradient } from '#shared/quantize/custom-gradient'
import { estimators, type Estimator, type GradientAt } from '#shared/quantize/index'
import { leastSquaresGamma } from '#shared/quantize/rotation-adaptive'
import type { NormAverage } from './norm-average'
import type { EstimatorInfo, EstimatorReach, Passed } from './protocol'

/** What training uses unless told otherwise, by the names of the configuration. */
export const labDefaults = { noiseVariance: 1e-3, gammaBound: 10, hessianStep: 0.1 }

export interface PassBack {
  estimator: string
  /** Rows [N, 2]. */
  e: Float32Array
  q: Float32Array
  /** Standard normal rows [N, 2], for estimators that draw. */
  noise: Float32Array
  /** What the codes remember of the vectors that chose them, and which codes these are; for scales per code. */
  norms?: { chosen: Uint16Array; average: NormAverage }
  /** g = ∂L/∂q̃ at places [N, 2]. */
  upstream: (places: Float32Array) => Float32Array
}

function find(id: string): Estimator {
  const found = Object.values<Estimator>(estimators).find((estimator) => estimator.id === id)
  if (!found) throw new RangeError(`There is no estimator ${id}.`)
  return found
}

/** Whether it reads what `norms` remembers. */
export const usesNorms = (id: string): boolean => id === 'rotation_adaptive'

/** What an estimator must be given; null for those that mix all codes and have no nearest one. */
function reachOf(estimator: Estimator): EstimatorReach | null {
  switch (estimator.kind) {
    case 'copy':
      return usesNorms(estimator.id) ? 'codebook' : 'pair'
    case 'noisy':
      return 'pair'
    case 'probing':
      return 'function'
    case 'segment':
    case 'assignment':
      return null
  }
}

/** Those that the Lab can draw, in the order of the registry. */
export function labEstimators(): EstimatorInfo[] {
  return Object.values<Estimator>(estimators).flatMap((estimator) => {
    const reach = reachOf(estimator)
    const { id, name, formula, source } = estimator
    return reach ? [{ id, name, formula, source, reach, noisy: estimator.kind === 'noisy' }] : []
  })
}

/** @throws RangeError for an estimator that is not there or that has no nearest code. */
export function passBack(task: PassBack): Passed {
  const shape: [number, number] = [task.e.length / 2, 2]
  let forward: Float32Array = new Float32Array(0)
  /** A loss whose gradient at q̃ is g; its value is never read. */
  const loss = (quantized: tf.Tensor2D): tf.Scalar =>
    withGradient(
      [quantized],
      () => {
        forward = Float32Array.from(quantized.dataSync())
        return tf.scalar(0)
      },
      () => [tf.tensor2d(task.upstream(forward), shape)],
    )
  const gradient = tf.tidy(() => {
    const e = tf.tensor2d(task.e, shape)
    const quantize = bound(task, e, tf.tensor2d(task.q, shape))
    return Float32Array.from(
      tf
        .grad((rows) => loss(quantize(rows as tf.Tensor2D)))(e)
        .dataSync(),
    )
  })
  return { estimator: task.estimator, forward, gradient }
}

/** The estimator with everything but e filled in. */
function bound(task: PassBack, e: tf.Tensor2D, q: tf.Tensor2D): (rows: tf.Tensor2D) => tf.Tensor2D {
  const estimator = find(task.estimator)
  switch (estimator.kind) {
    case 'copy': {
      const { gammaBound } = labDefaults
      const options =
        task.norms && usesNorms(estimator.id) ? { gamma: gammaOf(q, task.norms) } : { gammaBound }
      return (rows) => estimator.apply(rows, q, options)
    }
    case 'noisy': {
      const scale = Math.sqrt(labDefaults.noiseVariance)
      const noise = tf.tensor2d(
        task.noise.map((value) => value * scale),
        [task.noise.length / 2, 2],
      )
      return (rows) => estimator.apply(rows, q, noise)
    }
    case 'probing': {
      const gradientAt: GradientAt = (x) =>
        tf.tensor2d(task.upstream(Float32Array.from(x.dataSync())), x.shape)
      const probed = estimator.probe(e, q, gradientAt, labDefaults.hessianStep)
      return (rows) => estimator.apply(rows, q, probed)
    }
    case 'segment':
    case 'assignment':
      throw new RangeError(`${estimator.name} has no single nearest code.`)
  }
}

function gammaOf(q: tf.Tensor2D, { chosen, average }: NonNullable<PassBack['norms']>): tf.Tensor2D {
  const indices = tf.tensor1d(Int32Array.from(chosen), 'int32')
  return leastSquaresGamma(q, indices, {
    norms: tf.tensor1d(average.norms),
    squares: tf.tensor1d(average.squares),
  })
}
