// The quantizer of a configuration: a scheme (how vectors become codes) with the variables it works on, the maps around
// it, and how they move in a step. What it computes is in the schemes; nothing here knows a formula.
import * as tf from '@tensorflow/tfjs-core'
import { bookCount, hasCodebook, usesEstimatorNamed } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import { estimatorOf, type GradientAt } from '#shared/quantize/index'
import type { Assignment } from '../optimizer'
import type { Random } from '../random'
import { createBooks, type Books } from './books'
import { gridScheme } from './grids'
import { groupedScheme } from './grouped'
import { ibqScheme } from './ibq'
import { toSearchSpace } from './look-up'
import { drawNoise } from './noise'
import { createProjection } from './projection'
import { entropyLoss, orthogonalLoss } from './regularise'
import { residualScheme } from './residual'
import { singleScheme } from './single'
import { softConvexScheme } from './soft-convex'
import type { Found, Pass, Scheme, StepContext, StepNoise } from './types'
import { mapped, type VectorStream } from './vector-stream'

/** A pass with what is added to the loss besides commitment and codebook loss. */
export interface QuantizerPass extends Pass {
  /** Weighted sum of the regularisers; null without any. */
  regularization: tf.Scalar | null
}

export interface Quantizer {
  /** Codebooks, and so codes per vector. */
  books: number
  /** Codes in each. */
  size: number
  trainable: ReadonlyMap<string, tf.Variable>
  state: ReadonlyMap<string, tf.Variable>
  /** What step `t` draws for so many vectors. */
  draw(vectors: number, t: number, random: Random): StepNoise
  /** What a probing estimator asks the decoder before the step; null for others. e [N, L]. */
  ask(e: tf.Tensor2D, gradientAt: GradientAt): tf.Tensor2D | null
  /** e [N, L] → output [N, L] and losses, in training, under the tape. */
  quantize(e: tf.Tensor2D, context: StepContext): QuantizerPass
  /** e [N, L] once training is over; `output` [N, L]. Call inside `tidy`. */
  find(e: tf.Tensor2D): Found
  /** Per codebook int32 [N], or null to leave it out → [N, L]. Call inside `tidy`. */
  lookUp(indices: readonly (tf.Tensor1D | null)[]): tf.Tensor2D
  /** [B·K, Db]: every code, by its number. Call inside `tidy`; do not dispose. */
  codes(): tf.Tensor2D
  /** What codebooks and running figures become. `chosen` int32 [B·K] with revival, `trained` by the optimiser. */
  next(
    pass: QuantizerPass,
    chosen: tf.Tensor1D | null,
    noise: StepNoise,
    trained: readonly Assignment[],
  ): { assignments: Assignment[]; revived: tf.Scalar | null }
  /** Starts the codebooks from vectors [n, L], where the configuration asks for it. */
  initialise(vectors: VectorStream, random: Random): Promise<void>
}

function schemeOf(config: RunConfig): Scheme {
  switch (config.quantizer) {
    case 'vq':
    case 'optvq':
    case 'simvq':
      return singleScheme(config)
    case 'residual':
      return residualScheme(config)
    case 'grouped':
      return groupedScheme(config)
    case 'ibq':
      return ibqScheme(config)
    case 'soft_convex':
      return softConvexScheme(config)
    case 'fsq':
    case 'lfq':
      return gridScheme(config)
  }
}

function regularize(pass: Pass, books: readonly tf.Tensor2D[], config: RunConfig): tf.Scalar | null {
  const { orthogonalWeight, entropyWeight, entropyTemperature } = config
  const terms = books.flatMap((book, i) => {
    const searched = pass.answers[i]?.searched
    return [
      ...(orthogonalWeight > 0 ? [tf.mul(orthogonalLoss(book), orthogonalWeight / books.length)] : []),
      ...(entropyWeight > 0 && searched
        ? [tf.mul(entropyLoss(searched, book, entropyTemperature), entropyWeight / books.length)]
        : []),
    ]
  })
  return terms.length > 0 ? tf.addN(terms as tf.Scalar[]) : null
}

/** With new variables, drawn from `random`. */
export function createQuantizer(config: RunConfig, random: Random): Quantizer {
  const scheme = schemeOf(config)
  const books: Books = createBooks(config, random)
  const projection = createProjection(config, random)
  const { enter, leave } = projection
  const found = (e: tf.Tensor2D): Found => scheme.find(enter(e), books.all())

  return {
    books: bookCount(config),
    size: config.codebookSize,
    trainable: new Map([...books.trainable, ...projection.trainable]),
    state: books.state,
    draw: (vectors, t, drawFrom) => drawNoise(config, vectors, t, drawFrom),
    ask: (e, gradientAt) => {
      const estimator = estimatorOf(config.estimator)
      if (!usesEstimatorNamed(config, 'hessian', 'exact_gradient') || estimator.kind !== 'probing')
        return null
      return tf.tidy(() => {
        const searched = toSearchSpace(enter(e), config.distance)
        const { codes } = found(e)
        const inside: GradientAt = (x) => {
          const [weight] =
            projection.trainable.size > 0 ? [projection.trainable.get('quantizer.project_out.weight')] : []
          const outside = gradientAt(leave(x)) // [N, L]
          return weight ? tf.matMul(outside, weight, false, true) : outside
        }
        return estimator.probe(searched, codes, inside, config.hessianStep)
      })
    },
    quantize: (e, context) => {
      const all = books.all()
      const pass = scheme.quantize(enter(e), all, { ...context, statistics: books.statistics() })
      return { ...pass, output: leave(pass.output), regularization: regularize(pass, all, config) }
    },
    find: (e) => {
      const result = found(e)
      return { ...result, output: leave(result.output) }
    },
    lookUp: (indices) => leave(scheme.lookUp(indices, books.all())),
    codes: () => {
      const all = books.all()
      const [first] = all
      return all.length === 1 && first ? first : tf.concat([...all])
    },
    next: (pass, chosen, noise, trained) => books.next(pass.answers, chosen, noise, trained),
    initialise: async (vectors, drawFrom) => {
      if (hasCodebook(config)) await books.initialise(mapped(vectors, enter), drawFrom)
    },
  }
}
