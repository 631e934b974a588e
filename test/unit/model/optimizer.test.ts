// Adam, AdamW, clipping and the learning rate against their printed formulas in float64.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { learningRateAt } from '#main/model/learning-rate'
import { createOptimizer, type OptimizerConfig } from '#main/model/optimizer'
import { createRandom } from '#main/model/random'
import { relativeError } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

interface Slot {
  w: number[]
  m: number[]
  v: number[]
}

/** One step as torch.optim.AdamW documents it (decay 0 is Adam), after clip_grad_norm_. */
function reference(
  slots: Slot[],
  gradients: number[][],
  config: OptimizerConfig,
  lr: number,
  t: number,
): number {
  const [beta1, beta2] = config.betas
  const norm = Math.sqrt(gradients.flat().reduce((sum, g) => sum + g * g, 0))
  const scale = config.gradientClip > 0 ? Math.min(1, config.gradientClip / (norm + 1e-6)) : 1
  const decay = config.optimizer === 'adamw' ? config.weightDecay : 0
  slots.forEach((slot, s) => {
    slot.w.forEach((_, i) => {
      const g = (gradients[s]?.[i] ?? 0) * scale
      const m = beta1 * (slot.m[i] ?? 0) + (1 - beta1) * g
      const v = beta2 * (slot.v[i] ?? 0) + (1 - beta2) * g * g
      const decayed = (slot.w[i] ?? 0) * (1 - lr * decay)
      slot.m[i] = m
      slot.v[i] = v
      slot.w[i] = decayed - (lr * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + 1e-8)
    })
  })
  return norm
}

const base: OptimizerConfig = { optimizer: 'adamw', betas: [0.9, 0.99], weightDecay: 0.1, gradientClip: 1 }

describe.each([
  ['AdamW, clipped', base],
  ['AdamW, clip far away', { ...base, gradientClip: 1000 }],
  ['AdamW, no clip', { ...base, gradientClip: 0, betas: [0.5, 0.9] }],
  ['Adam takes no decay', { ...base, optimizer: 'adam' }],
] as [string, OptimizerConfig][])('%s', (_, config) => {
  test('twelve steps', () => {
    const random = createRandom(3)
    const numbers = (n: number): number[] =>
      Array.from({ length: n }, () => Math.fround(2 * random.uniform() - 1))
    const slots = [5, 3].map((n): Slot => ({
      w: numbers(n),
      m: Array(n).fill(0) as number[],
      v: Array(n).fill(0) as number[],
    }))
    const trainable = new Map(slots.map(({ w }, i) => [`w${i}`, tf.variable(tf.tensor1d(w))]))
    const optimizer = createOptimizer(config, { trainable })
    const tensors = tf.memory().numTensors
    for (let t = 1; t <= 12; t++) {
      const lr = 0.01 / t
      const values = slots.map(({ w }) => numbers(w.length).map((g) => Math.fround(g * (t === 5 ? 1e-6 : 3))))
      const gradients = new Map(values.map((g, i) => [`w${i}`, tf.tensor1d(g)]))
      const norm = optimizer.norm(gradients)
      expect(relativeError(norm, [reference(slots, values, config, lr, t)])).toBeLessThan(1e-6)
      optimizer.apply(gradients, lr, t)
      tf.dispose([norm, ...gradients.values()])
    }
    slots.forEach(({ w, m, v }, i) => {
      const [weight, first, second] = [
        trainable.get(`w${i}`),
        optimizer.state.get(`m.w${i}`),
        optimizer.state.get(`v.w${i}`),
      ]
      if (!weight || !first || !second) throw new Error('missing state')
      expect(relativeError(weight, w)).toBeLessThan(2e-6)
      expect(relativeError(first, m)).toBeLessThan(2e-6)
      expect(relativeError(second, v)).toBeLessThan(2e-6)
    })
    expect(tf.memory().numTensors).toBe(tensors)
  })
})

describe('learning rate', () => {
  const config = {
    learningRate: 1,
    finalLearningRate: 0.2,
    warmupSteps: 10,
    schedule: 'cosine',
    steps: 110,
  } as const

  test('rises in a line over the warm-up', () => {
    expect(learningRateAt(config, 1)).toBeCloseTo(0.1)
    expect(learningRateAt(config, 5)).toBeCloseTo(0.5)
    expect(learningRateAt(config, 10)).toBeCloseTo(1)
  })

  test('falls to the final rate at the last step, and stays', () => {
    expect(learningRateAt(config, 60)).toBeCloseTo(0.6)
    expect(learningRateAt(config, 110)).toBeCloseTo(0.2)
    expect(learningRateAt(config, 500)).toBeCloseTo(0.2)
    expect(learningRateAt({ ...config, schedule: 'linear' }, 35)).toBeCloseTo(0.8)
    expect(learningRateAt({ ...config, schedule: 'linear' }, 110)).toBeCloseTo(0.2)
  })

  test('constant stays', () => {
    expect(learningRateAt({ ...config, schedule: 'constant', warmupSteps: 0 }, 1)).toBe(1)
    expect(learningRateAt({ ...config, schedule: 'constant', warmupSteps: 0 }, 110)).toBe(1)
  })
})
