// Takes training steps: numbers in, numbers out. Where the tensors live, and whether a step runs operation by operation or
// as one graph, is known behind this interface only.
import * as tf from '@tensorflow/tfjs-core'
import {
  createTrainStep,
  disposeOutput,
  GradientProbe,
  type Diagnostics,
  type Optimizer,
  type Random,
  type StepOutput,
  type VqModel,
} from '#main/model/index'
import type { StepFigures } from './records'
import { imageTensor } from './tensors'

export interface StepRequest {
  /** [N, S, S, C] in [−1, 1] */
  values: Float32Array
  learningRate: number
  /** Counted from 1. */
  t: number
  /** Drawn from as the configuration needs. */
  random: Random
  /** Whether to look at what passes the estimator. */
  diagnose: boolean
}

export interface StepResult {
  /** False: no variable has changed, and the other numbers mean nothing. */
  finite: boolean
  figures: StepFigures
  /** Numbers of codes, [N·H·W·B]. */
  indices: Int32Array
  /** Null where the configuration revives no codes. */
  revived: number | null
  diagnostics: Diagnostics | null
}

export interface Steps {
  take(request: StepRequest): Promise<StepResult>
  /** Gives the variables of model and optimiser the values that the steps have reached. */
  sync(): void
  /** Frees what the steps hold besides model and optimiser. */
  close(): void
}

async function numberOf(scalar: tf.Tensor | undefined): Promise<number> {
  return (await scalar?.data())?.[0] ?? 0
}

async function figuresOf(output: StepOutput): Promise<StepFigures> {
  return {
    loss: await numberOf(output.loss),
    mse: await numberOf(output.mse),
    commitmentLoss: await numberOf(output.commitmentLoss),
    codebookLoss: await numberOf(output.codebookLoss),
    quantizationError: await numberOf(output.quantizationError),
    gradientNorm: await numberOf(output.gradientNorm),
  }
}

/** Steps that run operation by operation, on any engine. */
export function eagerSteps(model: VqModel, optimizer: Optimizer): Steps {
  const { config } = model
  const takeStep = createTrainStep(model, optimizer, config)
  return {
    take: async ({ values, learningRate, t, random, diagnose }) => {
      const x = imageTensor(values, config.imageSize, config.channelsIn) // [N, S, S, C]
      const probe = diagnose ? new GradientProbe() : undefined
      const output = takeStep(x, learningRate, t, random, probe)
      try {
        const finite = (await numberOf(output.finite)) === 1
        return {
          finite,
          figures: await figuresOf(output),
          indices: (await output.indices.data()) as Int32Array,
          revived: output.revived ? await numberOf(output.revived) : null,
          diagnostics: finite && probe ? probe.take() : null,
        }
      } finally {
        probe?.dispose()
        tf.dispose(x)
        disposeOutput(output)
      }
    },
    sync: () => undefined,
    close: () => undefined,
  }
}
