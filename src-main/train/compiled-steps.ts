// Training steps as TensorFlow graphs. The variables live in the session from the first step on; `sync` brings them back.
// A step that is looked at by the diagnostics is the same graph with one more result; the others pay nothing for it.
import * as tf from '@tensorflow/tfjs-core'
import type { CompileOptions, Compiler, Trace, Traced, Values } from '#main/engine/index'
import {
  computeStep,
  createRandom,
  diagnosticsFrom,
  GradientProbe,
  stepInputs,
  type Optimizer,
  type StepInputs,
  type VqModel,
} from '#main/model/index'
import type { Steps } from './steps'
import { imageTensor } from './tensors'

/** All that a step changes, by the names that checkpoints use. */
export function stepVariables(model: VqModel, optimizer: Optimizer): Map<string, tf.Variable> {
  return new Map([...model.trainable, ...model.state, ...optimizer.state])
}

function feedsOf({ chosen, noise, ...rest }: StepInputs): Map<string, tf.Tensor> {
  const all: Record<string, tf.Tensor | null | undefined> = { ...rest, ...noise, chosen }
  return new Map(Object.entries(all).filter((entry): entry is [string, tf.Tensor] => Boolean(entry[1])))
}

/** Names by variable; those of a recording's result. */
function namesOf(variables: ReadonlyMap<string, tf.Variable>): (variable: tf.Variable) => string {
  const names = new Map([...variables].map(([name, variable]) => [variable, name]))
  return (variable) => names.get(variable) ?? ''
}

/**
 * Compiles the steps of a model whose variables `compiler` holds (`stepVariables`). Throws `CannotCompile` with the
 * operation's name where a step does not fit into a graph.
 */
export function compiledSteps(
  compiler: Compiler,
  model: VqModel,
  optimizer: Optimizer,
  { bfloat16 = false }: CompileOptions = {},
): Steps {
  const { config } = model
  const nameOf = namesOf(stepVariables(model, optimizer))

  /** Any batch at any step will do: recording changes no variable, and draws from a generator of its own. */
  const trace = (round: 1 | 2): Trace => {
    const shape = [config.batchSize, config.imageSize, config.imageSize, config.channelsIn] as const
    const x = tf.randomUniform<tf.Rank.R4>([...shape], -1, 1, 'float32', round) // [N, S, S, C]
    const step = { learningRate: config.learningRate / round, t: round, random: createRandom(round) }
    const inputs = stepInputs(model, optimizer, x, step)
    return { feeds: feedsOf(inputs), compute: () => traced(inputs) }
  }

  function traced(inputs: StepInputs): Traced {
    const probe = new GradientProbe()
    const options = { probe, leaveAdam: !compiler.exact }
    const { output, assignments, adam } = computeStep(model, optimizer, config, inputs, options)
    const products = probe.products()
    probe.dispose()
    const outputs: Record<string, tf.Tensor | undefined> = { ...output, products: products ?? undefined }
    return {
      outputs: new Map(
        Object.entries(outputs).filter((entry): entry is [string, tf.Tensor] => Boolean(entry[1])),
      ),
      updates: {
        sound: 'finite',
        assigned: new Map(assignments.map(([variable, next]) => [nameOf(variable), next])),
        adam: adam.map(({ weight, m, v, gradient }) => ({
          weight: nameOf(weight),
          m: nameOf(m),
          v: nameOf(v),
          gradient,
        })),
        scalars: {
          rate: 'rate',
          epsilon: 'epsilon',
          keep: optimizer.decays ? 'keep' : null,
          betas: optimizer.betas,
        },
      },
    }
  }

  const looking = compiler.compile(trace, { bfloat16 })
  const plain = looking.without('products')

  return {
    take: ({ values, learningRate, t, random, diagnose }) => {
      const run = diagnose ? looking : plain
      // These tensors never reach the device: what they were made of is what is read.
      const given = new Map<string, Values>()
      tf.tidy(() => {
        const x = imageTensor(values, config.imageSize, config.channelsIn) // [N, S, S, C]
        const inputs = feedsOf(stepInputs(model, optimizer, x, { learningRate, t, random }))
        for (const [name, tensor] of inputs) given.set(name, tensor.dataSync<'float32' | 'int32'>())
      })
      const results = run(given)
      const numbers = (name: string): Values | null => results.get(name)?.values ?? null
      const number = (name: string): number => numbers(name)?.[0] ?? 0
      const finite = number('finite') === 1
      const products = finite ? numbers('products') : null
      return Promise.resolve({
        finite,
        figures: {
          loss: number('loss'),
          mse: number('mse'),
          commitmentLoss: number('commitmentLoss'),
          codebookLoss: number('codebookLoss'),
          quantizationError: number('quantizationError'),
          gradientNorm: number('gradientNorm'),
        },
        indices: numbers('indices') as Int32Array,
        revived: config.deadCodeThreshold > 0 ? number('revived') : null,
        diagnostics: products && diagnosticsFrom(products as Float32Array),
      })
    },
    sync: () => compiler.pull(),
    close: () => undefined,
  }
}
