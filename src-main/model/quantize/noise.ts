// What a step draws by chance or by schedule, from the run's own generator: the same on every engine and after a resume.
import * as tf from '@tensorflow/tfjs-core'
import { bookDim, totalCodes, usesEstimatorNamed } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import type { Random } from '../random'
import type { StepNoise } from './types'

/** Standard normal numbers, by Box and Muller. */
export function normals(count: number, random: Random): Float32Array {
  const values = new Float32Array(count)
  for (let i = 0; i < count; i += 2) {
    const length = Math.sqrt(-2 * Math.log(1 - random.uniform()))
    const angle = 2 * Math.PI * random.uniform()
    values[i] = length * Math.cos(angle)
    if (i + 1 < count) values[i + 1] = length * Math.sin(angle)
  }
  return values
}

/** Standard Gumbel numbers: −log(−log u), u in (0, 1). */
function gumbels(count: number, random: Random): Float32Array {
  // Half a step of the generator away from 0 and 1.
  const u = (): number => random.uniform() + 1 / 8_589_934_592
  return Float32Array.from({ length: count }, () => -Math.log(-Math.log(u())))
}

/** The temperature of step `t`, counted from 1: exponential from the first step to the last. */
export function temperatureAt(
  config: Pick<RunConfig, 'temperature' | 'finalTemperature' | 'steps'>,
  t: number,
): number {
  const progress = config.steps > 1 ? Math.min(1, (t - 1) / (config.steps - 1)) : 0
  return config.temperature * (config.finalTemperature / config.temperature) ** progress
}

function estimatorNoise(config: RunConfig, vectors: number, t: number, random: Random): StepNoise {
  const { codeDim, codebookSize } = config
  const normal = (scale: number): tf.Tensor2D =>
    tf.tensor2d(
      normals(vectors * codeDim, random).map((x) => x * scale),
      [vectors, codeDim],
    )
  if (!usesEstimatorNamed(config, 'nsvq', 'diveq', 'sf_diveq', 'gumbel')) return {}
  const deviation = Math.sqrt(config.noiseVariance)
  switch (config.estimator) {
    case 'nsvq':
      return { noise: normal(1) }
    case 'diveq':
      return { noise: normal(deviation) }
    case 'sf_diveq': {
      const places = Float32Array.from({ length: codebookSize - 1 }, () => random.uniform())
      const dither = tf.tensor2d(places, [codebookSize - 1, 1])
      return { noise: normal(deviation), otherNoise: normal(deviation), dither }
    }
    default: {
      const values = gumbels(vectors * codebookSize, random)
      const gumbel = tf.tensor2d(values, [vectors, codebookSize])
      return { gumbel, temperature: tf.scalar(temperatureAt(config, t)) }
    }
  }
}

/** Draws for `vectors` vectors at step `t`. Draws nothing where the configuration needs nothing. */
export function drawNoise(config: RunConfig, vectors: number, t: number, random: Random): StepNoise {
  const noise = estimatorNoise(config, vectors, t, random)
  if (config.deadCodeThreshold === 0 || config.reviveFrom !== 'usage') return noise
  const [codes, dim] = [totalCodes(config), bookDim(config)]
  return { ...noise, jitter: tf.tensor2d(normals(codes * dim, random), [codes, dim]) }
}
