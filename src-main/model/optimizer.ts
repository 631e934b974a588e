// Adam and AdamW (decoupled weight decay), as PyTorch computes them, with gradient clipping by the global norm.
// What changes from step to step enters as scalars, so that a step can be recorded once and replayed.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'

export type OptimizerConfig = Pick<RunConfig, 'optimizer' | 'betas' | 'weightDecay' | 'gradientClip'>

export type Gradients = ReadonlyMap<string, tf.Tensor>

/** A variable and the value it takes if the step is accepted. */
export type Assignment = [variable: tf.Variable, next: tf.Tensor]

/** The numbers of one step, as scalars on the device. */
export interface StepScalars {
  /** 1 − lr·decay (1 with Adam). */
  keep: tf.Scalar
  /** lr/(1 − β₁ᵗ) · √(1 − β₂ᵗ) */
  rate: tf.Scalar
  /** ε·√(1 − β₂ᵗ) */
  epsilon: tf.Scalar
}

/** Adam on one weight, for those who have an operation for it. Before it, the weight is multiplied by `keep`. */
export interface AdamStep {
  weight: tf.Variable
  m: tf.Variable
  v: tf.Variable
  /** After clipping. */
  gradient: tf.Tensor
}

export interface Optimizer {
  /** First and second moments: `m.<name>`, `v.<name>`. The step counter lives with the caller. */
  state: ReadonlyMap<string, tf.Variable>
  /** The scalars of step `t`, counted from 1. */
  scalars(learningRate: number, t: number): StepScalars
  /** Norm of all gradients together, before clipping. */
  norm(gradients: Gradients): tf.Scalar
  /** Pure: what every weight and moment becomes. `norm` is the result of `norm(gradients)`. */
  next(gradients: Gradients, norm: tf.Scalar, scalars: StepScalars): Assignment[]
  /** The same step as operands instead of results: scale first, then Adam by `betas` and the step's scalars. */
  operands(gradients: Gradients, norm: tf.Scalar): AdamStep[]
  readonly betas: readonly [number, number]
  readonly decays: boolean
  /** Takes the step at once; for use without a train step. */
  apply(gradients: Gradients, learningRate: number, t: number): void
  dispose(): void
}

const adamEpsilon = 1e-8

export function createOptimizer(
  config: OptimizerConfig,
  model: { trainable: ReadonlyMap<string, tf.Variable> },
): Optimizer {
  const [beta1, beta2] = config.betas
  const decay = config.optimizer === 'adamw' ? config.weightDecay : 0
  const state = new Map<string, tf.Variable>()
  const slots = [...model.trainable].map(([name, weight]) => {
    const [m, v] = tf.tidy(
      () => [tf.variable(tf.zerosLike(weight)), tf.variable(tf.zerosLike(weight))] as const,
    )
    state.set(`m.${name}`, m)
    state.set(`v.${name}`, v)
    return { name, weight, m, v }
  })

  const norm = (gradients: Gradients): tf.Scalar =>
    tf.tidy(() => {
      const squares = [...gradients.values()].map((g) => tf.sum<tf.Scalar>(tf.square(g)))
      return tf.sqrt(tf.addN(squares))
    })

  // With bias corrections c₁ = 1−β₁ᵗ, c₂ = 1−β₂ᵗ: lr·(m/c₁)/(√(v/c₂)+ε) = (lr·√c₂/c₁)·m/(√v + ε√c₂).
  const scalars = (learningRate: number, t: number): StepScalars => {
    const root = Math.sqrt(1 - beta2 ** t)
    return {
      keep: tf.scalar(1 - learningRate * decay),
      rate: tf.scalar((learningRate * root) / (1 - beta1 ** t)),
      epsilon: tf.scalar(adamEpsilon * root),
    }
  }

  const scaleOf = (total: tf.Scalar): tf.Tensor | null =>
    config.gradientClip > 0 ? tf.minimum(tf.div(config.gradientClip, tf.add(total, 1e-6)), 1) : null

  const operands: Optimizer['operands'] = (gradients, total) => {
    const scale = scaleOf(total)
    return slots.flatMap(({ name, weight, m, v }): AdamStep[] => {
      const g = gradients.get(name)
      return g ? [{ weight, m, v, gradient: scale ? tf.mul(g, scale) : g }] : []
    })
  }

  const next: Optimizer['next'] = (gradients, total, { keep, rate, epsilon }) => {
    const scale = scaleOf(total) ?? tf.scalar(1)
    const intoM = tf.mul(scale, 1 - beta1)
    const intoV = tf.mul(tf.square(scale), 1 - beta2)
    const [oldM, oldV] = [tf.scalar(beta1), tf.scalar(beta2)]
    return slots.flatMap(({ name, weight, m, v }): Assignment[] => {
      const g = gradients.get(name)
      if (!g) return []
      const nextM = tf.add(tf.mul(m, oldM), tf.mul(g, intoM))
      const nextV = tf.add(tf.mul(v, oldV), tf.mul(tf.square(g), intoV))
      const update = tf.div(tf.mul(nextM, rate), tf.add(tf.sqrt(nextV), epsilon))
      const kept = decay > 0 ? tf.mul(weight, keep) : weight
      return [
        [m, nextM],
        [v, nextV],
        [weight, tf.sub(kept, update)],
      ]
    })
  }

  return {
    state,
    scalars,
    norm,
    next,
    operands,
    betas: config.betas,
    decays: decay > 0,
    apply: (gradients, learningRate, t) => {
      tf.tidy(() => assignAll(next(gradients, norm(gradients), scalars(learningRate, t))))
    },
    dispose: () => {
      for (const variable of state.values()) variable.dispose()
    },
  }
}

export function assignAll(assignments: readonly Assignment[]): void {
  for (const [variable, value] of assignments) variable.assign(value)
}
