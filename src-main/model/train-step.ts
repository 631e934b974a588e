// One step of training as a pure function of the batch, the model's tensors and a few scalars: what it computes is
// assigned only when loss and gradient are finite. No clock, no engine, no randomness of its own.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import type { GradientProbe } from './diagnostics'
import { runLayers } from './layers'
import { codebookState, stateEntries, type VqModel } from './model'
import { meanSquaredError } from './ops'
import { assignAll, type Assignment, type Gradients, type Optimizer, type StepScalars } from './optimizer'
import { countDeadCodes, onCodeSpace, reviveDeadCodes, updateState } from './quantize/codebook'
import { quantize } from './quantize/quantizer'
import type { Random } from './random'
import { tidied } from './tidied'

/** Tensors for the caller to read and dispose (`disposeOutput`). Scalars unless said otherwise. */
export interface StepOutput {
  /** What was minimised: mse + commitmentLoss (+ codebookLoss). */
  loss: tf.Scalar
  mse: tf.Scalar
  /** β·mean((sg q − e)²) */
  commitmentLoss: tf.Scalar
  /** mean((q − sg e)²), with a gradient-trained codebook. */
  codebookLoss?: tf.Scalar
  /** Mean over vectors of the sum over D of (e−q)², in the space of the search. */
  quantizationError: tf.Scalar
  /** Before clipping. */
  gradientNorm: tf.Scalar
  /** int32 [N, H, W] */
  indices: tf.Tensor3D
  /** Codes that this step moved onto a vector of the batch; only with revival. */
  revived?: tf.Scalar
  /** bool: loss and gradient are finite. If not, no variable has changed. */
  finite: tf.Scalar
}

/** What varies from step to step, as tensors: together with the variables, all that a step reads. */
export interface StepInputs extends StepScalars {
  /** [N, S, S, C] in [−1, 1] */
  x: tf.Tensor4D
  /** int32 [K]: which vector of the batch would replace each code; only with revival. */
  chosen: tf.Tensor1D | null
}

/** A `probe` looks on; what the step computes and draws is the same with and without it. */
export type TrainStep = (
  x: tf.Tensor4D,
  learningRate: number,
  t: number,
  random: Random,
  probe?: GradientProbe,
) => StepOutput

interface ForwardPass extends Omit<StepOutput, 'gradientNorm' | 'finite' | 'indices' | 'revived'> {
  flatIndices: tf.Tensor1D
  searched: tf.Tensor2D
}

export function disposeOutput(output: StepOutput): void {
  tf.dispose(Object.values(output) as tf.Tensor[])
}

/** The loss and its parts. Runs under the tape. */
function forward(model: VqModel, config: RunConfig, x: tf.Tensor4D, probe?: GradientProbe): ForwardPass {
  const e = runLayers(model.trainable, model.network.encoder, x) // [N, H, W, D]
  const flat = tf.reshape<tf.Rank.R2>(e, [-1, config.codeDim])
  const { output, commitment, codebookLoss, indices, searched } = quantize(
    flat,
    model.codebook(),
    config,
    probe,
  )
  const decoded = runLayers(model.trainable, model.network.decoder, tf.reshape(output, e.shape))
  const mse = meanSquaredError(decoded, x)
  const commitmentLoss = tf.mul<tf.Scalar>(commitment, config.commitmentWeight)
  const quantizationError = tf.mul<tf.Scalar>(commitment, config.codeDim)
  const withCommitment = tf.add<tf.Scalar>(mse, commitmentLoss)
  const loss = codebookLoss ? tf.add<tf.Scalar>(withCommitment, codebookLoss) : withCommitment
  const parts = { loss, mse, commitmentLoss, quantizationError, flatIndices: indices, searched }
  return codebookLoss ? { ...parts, codebookLoss } : parts
}

/** Loss, its parts and the gradient of every trainable tensor. Everything returned is kept: dispose it. */
function differentiate(
  model: VqModel,
  config: RunConfig,
  x: tf.Tensor4D,
  probe?: GradientProbe,
): [ForwardPass, Gradients] {
  const passes: ForwardPass[] = []
  const variables = [...model.trainable.values()]
  const { value, grads } = tf.variableGrads(() => {
    const pass = forward(model, config, x, probe)
    for (const tensor of Object.values(pass) as tf.Tensor[]) tf.keep(tensor)
    passes.push(pass)
    return pass.loss.clone()
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

/** What codebook, running counts and sums become, given what the optimiser made of a trained codebook. */
function nextCodebook(
  model: VqModel,
  config: RunConfig,
  pass: ForwardPass,
  chosen: tf.Tensor1D | null,
  trained: readonly Assignment[],
): { assignments: Assignment[]; revived: tf.Scalar | null } {
  const before = codebookState(model)
  const optimised = trained.find(([variable]) => variable === before.codebook)?.[1] as tf.Tensor2D | undefined
  const codebook = optimised ? onCodeSpace(optimised, config.distance) : before.codebook
  const moved = updateState({ ...before, codebook }, pass.searched, pass.flatIndices, config)
  const after = chosen ? reviveDeadCodes(moved, pass.searched, chosen, config) : moved
  const assignments = stateEntries(after).flatMap(([name, next]): Assignment[] => {
    const variable = model.state.get(name) ?? model.trainable.get(name)
    return variable ? [[variable, next]] : []
  })
  return { assignments, revived: chosen ? countDeadCodes(moved, config) : null }
}

/**
 * The pure part: outputs, and what every variable becomes if they are finite. Reads nothing back to the host, so
 * that it can be recorded as a graph.
 */
export function computeStep(
  model: VqModel,
  optimizer: Optimizer,
  config: RunConfig,
  { x, chosen, ...scalars }: StepInputs,
  probe?: GradientProbe,
): { output: StepOutput; assignments: Assignment[] } {
  const [pass, gradients] = differentiate(model, config, x, probe)
  const gradientNorm = optimizer.norm(gradients)
  const trained = optimizer.next(gradients, gradientNorm, scalars)
  const { assignments: moves, revived } = nextCodebook(model, config, pass, chosen, trained)
  const assignments = [...trained, ...moves]
  const { flatIndices, searched, ...losses } = pass
  const indices = tf.reshape<tf.Rank.R3>(flatIndices, [x.shape[0], ...model.tokens])
  // Both are never negative: their sum is below infinity exactly when both are finite.
  const finite = tf.less<tf.Scalar>(tf.add(pass.loss, gradientNorm), Infinity)
  tf.dispose([flatIndices, searched])
  const output = { ...losses, indices, gradientNorm, finite, ...(revived && { revived }) }
  return { output, assignments }
}

/** The step of one model and optimiser. `t` counts from 1; `random` is drawn from only where codes are revived. */
export function createTrainStep(model: VqModel, optimizer: Optimizer, config: RunConfig): TrainStep {
  const vectorsPerImage = model.tokens[0] * model.tokens[1]
  return (x, learningRate, t, random, probe) =>
    tidied(() => {
      const revives = config.deadCodeThreshold > 0
      const chosen = revives
        ? tf.tensor1d(random.choose(x.shape[0] * vectorsPerImage, config.codebookSize), 'int32')
        : null
      const inputs = { x, chosen, ...optimizer.scalars(learningRate, t) }
      const { output, assignments } = computeStep(model, optimizer, config, inputs, probe)
      if (output.finite.dataSync()[0] === 1) assignAll(assignments)
      return output
    })
}
