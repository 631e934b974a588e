// One step of training as a pure function of the batch, the model's tensors and a few scalars: what it computes is
// assigned only when loss and gradient are finite. No clock, no engine, no randomness of its own.
import * as tf from '@tensorflow/tfjs-core'
import { effectiveCommitment, latentWidth, totalCodes, usesEstimatorNamed } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import type { GradientAt } from '#shared/quantize/index'
import { GradientProbe } from './diagnostics'
import { runLayers } from './layers'
import { codeNumbers, type VqModel } from './model'
import { meanSquaredError } from './ops'
import {
  assignAll,
  type AdamStep,
  type Assignment,
  type Gradients,
  type Optimizer,
  type StepScalars,
} from './optimizer'
import type { QuantizerPass } from './quantize/create'
import type { Answer, StepContext, StepNoise } from './quantize/types'
import type { Random } from './random'
import { tidied } from './tidied'

/** Tensors for the caller to read and dispose (`disposeOutput`). Scalars unless said otherwise. */
export interface StepOutput {
  /** What was minimised: mse + commitmentLoss (+ codebookLoss) (+ regularization). */
  loss: tf.Scalar
  mse: tf.Scalar
  /** β·mean((sg q − e)²), or 0 where vectors and codes meet in no loss. */
  commitmentLoss: tf.Scalar
  /** mean((q − sg e)²), with a gradient-trained codebook. */
  codebookLoss?: tf.Scalar
  /** Orthogonality and entropy, weighted. */
  regularization?: tf.Scalar
  /** Mean over vectors of the sum over D of (e−q)², in the space of the search. */
  quantizationError: tf.Scalar
  /** Before clipping. */
  gradientNorm: tf.Scalar
  /** int32 [N, H, W], or [N, H, W, B] with B codebooks: the number of each code, book · K + index. */
  indices: tf.Tensor
  /** Codes that this step moved onto a vector of the batch; only with revival. */
  revived?: tf.Scalar
  /** bool: loss and gradient are finite. If not, no variable has changed. */
  finite: tf.Scalar
}

/** What varies from step to step, as tensors: together with the variables, all that a step reads. */
export interface StepInputs extends StepScalars {
  /** [N, S, S, C] in [−1, 1] */
  x: tf.Tensor4D
  /** int32 [B·K]: which vector of the batch would replace each code; only with revival. */
  chosen: tf.Tensor1D | null
  /** What the quantizer draws. */
  noise?: StepNoise
}

/** A `probe` looks on; what the step computes and draws is the same with and without it. */
export type TrainStep = (
  x: tf.Tensor4D,
  learningRate: number,
  t: number,
  random: Random,
  probe?: GradientProbe,
) => StepOutput

type Losses = Omit<StepOutput, 'gradientNorm' | 'finite' | 'indices' | 'revived'>

interface ForwardPass {
  losses: Losses
  quantized: QuantizerPass
}

export function disposeOutput(output: StepOutput): void {
  tf.dispose(Object.values(output) as tf.Tensor[])
}

/** The loss and its parts. Runs under the tape. */
function forward(model: VqModel, config: RunConfig, x: tf.Tensor4D, context: StepContext): ForwardPass {
  const e = runLayers(model.trainable, model.network.encoder, x) // [N, H, W, L]
  const flat = tf.reshape<tf.Rank.R2>(e, [-1, latentWidth(config)])
  const quantized = model.quantizer.quantize(flat, context)
  const { output, commitment, codebookLoss, regularization } = quantized
  const decoded = runLayers(model.trainable, model.network.decoder, tf.reshape(output, e.shape))
  const mse = meanSquaredError(decoded, x)
  const commitmentLoss = tf.mul<tf.Scalar>(commitment, effectiveCommitment(config))
  const quantizationError = quantized.error
  let loss = tf.add<tf.Scalar>(mse, commitmentLoss)
  if (codebookLoss) loss = tf.add(loss, codebookLoss)
  if (regularization) loss = tf.add(loss, regularization)
  const losses: Losses = {
    loss,
    mse,
    commitmentLoss,
    quantizationError,
    ...(codebookLoss && { codebookLoss }),
    ...(regularization && { regularization }),
  }
  return { losses, quantized }
}

/** ∂mse/∂(decoder input) for inputs [N, L]. */
function decoderGradient(model: VqModel, x: tf.Tensor4D): GradientAt {
  const { network, tokens, trainable } = model
  const shape: [number, number, number, number] = [x.shape[0], ...tokens, latentWidth(model.config)]
  const error = (input: tf.Tensor): tf.Tensor =>
    meanSquaredError(runLayers(trainable, network.decoder, tf.reshape(input, shape)), x)
  return (input) => tf.tidy(() => tf.grad(error)(input) as tf.Tensor2D)
}

/** What a probing estimator needs to know of the decoder before the step. Runs outside the tape. */
function askDecoder(model: VqModel, config: RunConfig, x: tf.Tensor4D): tf.Tensor2D | undefined {
  if (!usesEstimatorNamed(config, 'hessian', 'exact_gradient')) return undefined
  const e = tf.reshape<tf.Rank.R2>(model.encode(x), [-1, latentWidth(config)])
  return model.quantizer.ask(e, decoderGradient(model, x)) ?? undefined
}

/** Loss, its parts and the gradient of every trainable tensor. Everything returned is kept: dispose it. */
function differentiate(
  model: VqModel,
  config: RunConfig,
  x: tf.Tensor4D,
  context: StepContext,
): [ForwardPass, Gradients] {
  const passes: ForwardPass[] = []
  const variables = [...model.trainable.values()]
  const { value, grads } = tf.variableGrads(() => {
    const pass = forward(model, config, x, context)
    const { losses, quantized } = pass
    for (const tensor of [
      ...(Object.values(losses) as tf.Tensor[]),
      ...quantized.answers.flatMap(answerTensors),
    ])
      tf.keep(tensor)
    passes.push(pass)
    return pass.losses.loss.clone()
  }, variables)
  value.dispose()
  const [pass] = passes
  if (!pass) throw new Error('The forward pass did not run.')
  const gradients = new Map<string, tf.Tensor>()
  for (const [name, variable] of model.trainable) {
    const gradient = grads[variable.name]
    if (gradient) gradients.set(name, gradient)
  }
  return [pass, gradients]
}

function answerTensors({ searched, indices, statistics }: Answer): tf.Tensor[] {
  return [searched, indices, ...(statistics ? [statistics.norms, statistics.squares] : [])]
}

export interface ComputedStep {
  output: StepOutput
  /** In order: the last one of a variable counts. */
  assignments: Assignment[]
  /** Weights of the networks, where the caller takes Adam's step itself. */
  adam: AdamStep[]
}

export interface ComputeOptions {
  probe?: GradientProbe | undefined
  /** Leaves Adam on the networks' weights to the caller. What the quantizer trains is computed here in any case. */
  leaveAdam?: boolean
}

/** The gradients of the quantizer's own weights, and those of the networks. */
function partGradients(model: VqModel, gradients: Gradients): [quantizer: Gradients, networks: Gradients] {
  const own = [...gradients].filter(([name]) => model.quantizer.trainable.has(name))
  const rest = [...gradients].filter(([name]) => !model.quantizer.trainable.has(name))
  return [new Map(own), new Map(rest)]
}

/**
 * The pure part: outputs, and what every variable becomes if they are finite. Reads nothing back to the host, so
 * that it can be recorded as a graph.
 */
export function computeStep(
  model: VqModel,
  optimizer: Optimizer,
  config: RunConfig,
  { x, chosen, noise = {}, ...scalars }: StepInputs,
  { probe = new GradientProbe({ deaf: true }), leaveAdam = false }: ComputeOptions = {},
): ComputedStep {
  const probed = askDecoder(model, config, x)
  const [pass, gradients] = differentiate(model, config, x, { noise, probe, probed })
  const gradientNorm = optimizer.norm(gradients)
  const [own, left] = leaveAdam ? partGradients(model, gradients) : [gradients, new Map<string, tf.Tensor>()]
  const trained = optimizer.next(own, gradientNorm, scalars)
  const adam = optimizer.operands(left, gradientNorm)
  const { losses, quantized } = pass
  const { assignments: moves, revived } = model.quantizer.next(quantized, chosen, noise, trained)
  const perBook = codeNumbers(
    quantized.answers.map((answer) => answer.indices),
    model.quantizer.size,
  )
  const shape = [x.shape[0], ...model.tokens]
  const indices =
    perBook.length === 1
      ? tf.reshape(perBook[0] ?? tf.scalar(0), shape)
      : tf.reshape(tf.stack(perBook, 1), [...shape, perBook.length])
  // A norm is never negative and no part of the loss falls without bound: the sum is below infinity only if both are finite.
  const finite = tf.less<tf.Scalar>(tf.add(losses.loss, gradientNorm), Infinity)
  tf.dispose(quantized.answers.map(answerTensors))
  const output = { ...losses, indices, gradientNorm, finite, ...(revived && { revived }) }
  return { output, assignments: [...trained, ...moves], adam }
}

/** What step `t`, counted from 1, takes besides the variables. Draws from `random` only for revival and noise. */
export function stepInputs(
  model: VqModel,
  optimizer: Optimizer,
  x: tf.Tensor4D,
  { learningRate, t, random }: { learningRate: number; t: number; random: Random },
): StepInputs {
  const { config, quantizer, tokens } = model
  const vectors = x.shape[0] * tokens[0] * tokens[1]
  const revives = config.deadCodeThreshold > 0
  const chosen = revives ? tf.tensor1d(random.choose(vectors, totalCodes(config)), 'int32') : null
  const noise = quantizer.draw(vectors, t, random)
  return { x, chosen, noise, ...optimizer.scalars(learningRate, t) }
}

/** The step of one model and optimiser, operation by operation. */
export function createTrainStep(model: VqModel, optimizer: Optimizer, config: RunConfig): TrainStep {
  return (x, learningRate, t, random, probe) =>
    tidied(() => {
      const inputs = stepInputs(model, optimizer, x, { learningRate, t, random })
      const { output, assignments } = computeStep(model, optimizer, config, inputs, { probe })
      if (output.finite.dataSync()[0] === 1) assignAll(assignments)
      return output
    })
}
