// How each named case of quantizers.json and of the peers' vectors is computed: always by the function that training
// calls. Numbers such as temperatures are read from the formula that a case was made from.
import * as tf from '@tensorflow/tfjs-core'
import { configSchema, type RunConfig } from '#shared/config/schema'
import { estimators, type GradientAt } from '#shared/quantize/index'
import { leastSquaresGamma, updateNormStatistics } from '#shared/quantize/rotation-adaptive'
import { reviveDeadCodes } from '#main/model/quantize/codebook'
import { finiteScalars, signs } from '#main/model/quantize/grids'
import { groupedScheme } from '#main/model/quantize/grouped'
import { indexBackpropagated } from '#main/model/quantize/ibq'
import { kmeansCentres } from '#main/model/quantize/initial-codes'
import { lookUp } from '#main/model/quantize/look-up'
import { entropyLoss, orthogonalLoss } from '#main/model/quantize/regularise'
import { nearestCodes } from '#main/model/quantize/search'
import { singleScheme } from '#main/model/quantize/single'
import { mixtureShares } from '#main/model/quantize/soft-convex'
import type { Pass } from '#main/model/quantize/types'
import type { QuantizerCase } from './files'

export type Inputs = Record<string, tf.Tensor>

export interface Result {
  output: tf.Tensor
  outputs?: Record<string, tf.Tensor>
  /** int32 [N] for each codebook. */
  indices?: tf.Tensor1D[]
}

/** First with the inputs as constants, outside any tape; what comes back runs under it. */
export type Runner = (constants: Inputs, c: QuantizerCase) => (x: Inputs) => Result

/** An input that the case must have. */
function input<T extends tf.Tensor = tf.Tensor2D>(inputs: Inputs, key: string): T {
  const tensor = inputs[key]
  if (!tensor) throw new Error(`it has no input “${key}”.`)
  return tensor as T
}

/** What stands in the formula where the pattern has its group. */
function stated(c: QuantizerCase, pattern: RegExp, what: string): string {
  const found = pattern.exec(c.formula)?.[1]
  if (found === undefined) throw new Error(`its formula “${c.formula}” does not state ${what}.`)
  return found
}

function number(c: QuantizerCase, pattern: RegExp, what: string): number {
  return Number(stated(c, pattern, what))
}

const configOf = (part: Partial<RunConfig>): RunConfig => configSchema.parse(part)

const simple =
  (run: (x: Inputs, c: QuantizerCase) => tf.Tensor): Runner =>
  (_, c) =>
  (x) => ({ output: run(x, c) })

function resultOf({ output, answers, commitment }: Pass): Result {
  const indices = answers.map((answer) => answer.indices)
  return { output, indices, outputs: { commitment: tf.reshape(commitment, [1]) } }
}

/** ∂L/∂x of the peers' small decoder, L = mean((tanh(x W1 + b1) W2 − target)²). */
function decoderGradient(inputs: Inputs): GradientAt {
  const [w1, b1, w2] = [input(inputs, 'W1'), input<tf.Tensor1D>(inputs, 'b1'), input(inputs, 'W2')]
  const target = input(inputs, 'target')
  const loss = (x: tf.Tensor): tf.Tensor => {
    const hidden = tf.tanh(tf.add(tf.matMul(x as tf.Tensor2D, w1), b1))
    return tf.mean(tf.squaredDifference(tf.matMul(hidden as tf.Tensor2D, w2), target))
  }
  return (x) => tf.grad(loss)(x) as tf.Tensor2D
}

const probing =
  (id: 'hessian' | 'exact_gradient'): Runner =>
  (constants, c) => {
    const step = id === 'hessian' ? number(c, /\bh = (\d*\.?\d+)/, 'h') : 0
    const [z, q] = [input(constants, 'z'), input(constants, 'q')]
    const probed = estimators[id].probe(z, q, decoderGradient(constants), step)
    return (x) => ({ output: estimators[id].apply(input(x, 'z'), input(x, 'q'), probed) })
  }

const adaptive: Runner = (_, c) => (x) => {
  const decay = number(c, /decay (\d*\.?\d+)/, 'the decay')
  const [z, codebook] = [input(x, 'z'), input(x, 'codebook')]
  const indices = nearestCodes(z, codebook)
  const before = { norms: input<tf.Tensor1D>(x, 'norms'), squares: input<tf.Tensor1D>(x, 'squares') }
  const after = updateNormStatistics(before, z, indices, decay)
  const codes = lookUp(codebook, indices)
  const gamma = leastSquaresGamma(codes, indices, after)
  return {
    output: estimators.rotation_adaptive.apply(z, codes, { gamma }),
    outputs: { ...after },
    indices: [indices],
  }
}

const grouped =
  (estimator: RunConfig['estimator']): Runner =>
  () =>
  (x) => {
    const [z, books] = [input(x, 'z'), tf.unstack(input<tf.Tensor3D>(x, 'codebooks')) as tf.Tensor2D[]]
    const config = configOf({ quantizer: 'grouped', groups: books.length, estimator, codeDim: z.shape[1] })
    return resultOf(groupedScheme(config).quantize(z, books, {}))
  }

const optvq: Runner = (_, c) => (x) => {
  const sinkhornSharpness = number(c, /exp\(-(\d*\.?\d+)/, 'the sharpness')
  const sinkhornIterations = number(c, /(\d+) times/, 'how many iterations')
  const config = configOf({ quantizer: 'optvq', estimator: 'ste', sinkhornIterations, sinkhornSharpness })
  return resultOf(singleScheme(config).quantize(input(x, 'z'), [input(x, 'codebook')], {}))
}

const kmeans =
  (distance: RunConfig['distance']): Runner =>
  () =>
  (x) => {
    const [vectors, chosen] = [input(x, 'vectors'), input<tf.Tensor1D>(x, 'chosen')]
    const config = configOf({ codebookSize: chosen.size, codeDim: vectors.shape[1], distance })
    return { output: kmeansCentres(vectors, tf.gather(vectors, tf.cast(chosen, 'int32')), config) }
  }

const revival: Runner = (_, c) => (x) => {
  const codebook = input(x, 'codebook')
  const state = { codebook, counts: input<tf.Tensor1D>(x, 'counts'), sums: input(x, 'sums') }
  const deadCodeThreshold = number(c, /threshold (\d*\.?\d+)/, 'the threshold')
  const [codebookSize, codeDim] = codebook.shape
  const config = configOf({ deadCodeThreshold, codebookSize, codeDim })
  const after = reviveDeadCodes(state, input(x, 'vectors'), input<tf.Tensor1D>(x, 'chosen'), config)
  const { counts, sums } = after
  return { output: after.codebook, outputs: { ...(counts && { counts }), ...(sums && { sums }) } }
}

const softConvex: Runner = (_, c) => (x) => {
  const lambda = number(c, /\+\s*(\d*\.?\d+)\s*I\b/, 'λ')
  const [z, codebook] = [input(x, 'z'), input(x, 'codebook')]
  const indices = nearestCodes(z, codebook)
  return { output: tf.matMul(mixtureShares(z, codebook, indices, lambda), codebook), indices: [indices] }
}

const simvq: Runner = () => (x) => {
  const codes = tf.matMul<tf.Tensor2D>(input(x, 'frozen'), input(x, 'W'), false, true)
  const config = configOf({ quantizer: 'simvq', estimator: 'ste', codebookUpdate: 'gradient' })
  return resultOf(singleScheme(config).quantize(input(x, 'z'), [codes], {}))
}

const runners: Readonly<Record<string, Runner>> = {
  rotation_inverse_error: simple((x) =>
    estimators.rotation_inverse_error.apply(input(x, 'z'), input(x, 'q')),
  ),
  diveq_noise: simple((x) => estimators.diveq.apply(input(x, 'z'), input(x, 'q'), input(x, 'noise'))),
  sf_diveq: simple((x) => {
    const ends = { first: input(x, 'c1'), second: input(x, 'c2'), t: input(x, 't') }
    return estimators.sf_diveq.apply(input(x, 'z'), ends, null)
  }),
  gumbel: simple((x, c) => {
    const temperature = number(c, /\/\s*(\d*\.?\d+)\s*\)/, 'the temperature')
    return estimators.gumbel.apply(input(x, 'logits'), input(x, 'codebook'), input(x, 'gumbel'), temperature)
  }),
  ibq: () => (x) => {
    const { output, indices } = indexBackpropagated(input(x, 'z'), input(x, 'codebook'))
    return { output, indices: [indices] }
  },
  soft_convex: softConvex,
  simvq_ste: simvq,
  fsq: simple((x, c) => {
    const levels = stated(c, /levels (\d+(?:\s*,\s*\d+)*)/, 'the levels')
      .split(',')
      .map(Number)
    return finiteScalars(input(x, 'z'), levels)
  }),
  lfq: simple((x) => signs(input(x, 'z'))),
  rotation_adaptive: adaptive,
  hessian: probing('hessian'),
  hessian_differences: probing('hessian'),
  exact_gradient: probing('exact_gradient'),
  grouped_ste: grouped('ste'),
  grouped_rotation: grouped('rotation'),
  optvq_ste: optvq,
  kmeans: kmeans('euclidean'),
  kmeans_cosine: kmeans('cosine'),
  revival,
  orthogonal: simple((x) => tf.reshape(orthogonalLoss(input(x, 'codebook')), [1, 1])),
  entropy: simple((x, c) => {
    const temperature = number(c, /temperature (\d*\.?\d+)/, 'the temperature')
    return tf.reshape(entropyLoss(input(x, 'z'), input(x, 'codebook'), temperature), [1, 1])
  }),
}

/** The runner of a case, if the name is known. */
export function runnerOf(name: string): Runner | undefined {
  return Object.hasOwn(runners, name) ? runners[name] : undefined
}
