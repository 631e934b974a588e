// The pieces with their own gradient against float64: values by the formula, gradients by central differences of it.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { groupNorm, meanSquaredError, relu, silu } from '#main/model/ops'
import { createRandom } from '#main/model/random'
import { relativeError } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const random = createRandom(7)
const numbers = (count: number, scale = 2): number[] =>
  Array.from({ length: count }, () => Math.fround(scale * (2 * random.uniform() - 1)))

/** d(Σ g·f(x))/dx in float64. */
function differences(f: (x: number[]) => number[], x: number[], g: number[], h = 1e-5): number[] {
  const weighted = (at: number[]): number => f(at).reduce((sum, y, i) => sum + y * (g[i] ?? 0), 0)
  return x.map((_, i) => {
    const moved = (by: number): number[] => x.map((value, j) => (i === j ? value + by : value))
    return (weighted(moved(h)) - weighted(moved(-h))) / (2 * h)
  })
}

describe.each([
  ['relu', relu, (x: number) => Math.max(0, x)],
  ['silu', silu, (x: number) => x / (1 + Math.exp(-x))],
] as const)('%s', (_, op, reference) => {
  test('value and gradient', () => {
    const [x, g] = [numbers(40), numbers(40)]
    const { value, grad } = tf.valueAndGrad((t: tf.Tensor) => op(t))(tf.tensor1d(x), tf.tensor1d(g))
    const f = (all: number[]): number[] => all.map(reference)
    expect(relativeError(value, f(x))).toBeLessThan(1e-6)
    expect(relativeError(grad, differences(f, x, g))).toBeLessThan(1e-5)
  })
})

test('relu passes nothing on at zero and below', () => {
  const grad = tf.grad((t: tf.Tensor) => relu(t))(tf.tensor1d([-1, 0, 2]))
  expect([...grad.dataSync()].map(Math.abs)).toEqual([0, 0, 1])
})

test('mean squared error', () => {
  const [x, target] = [numbers(24), numbers(24)]
  const f = (at: number[]): number[] => [at.reduce((sum, v, i) => sum + (v - (target[i] ?? 0)) ** 2, 0) / 24]
  const { value, grad } = tf.valueAndGrad((t: tf.Tensor) =>
    tf.mul(meanSquaredError(t, tf.tensor1d(target)), 3),
  )(tf.tensor1d(x))
  expect(
    relativeError(
      value,
      f(x).map((y) => 3 * y),
    ),
  ).toBeLessThan(1e-6)
  expect(relativeError(grad, differences(f, x, [3]))).toBeLessThan(1e-5)
})

/** Group norm of one sample [P, C] as the definition reads, in float64. */
function plainGroupNorm(
  x: number[],
  channels: number,
  groups: number,
  scale: number[],
  shift: number[],
): number[] {
  const groupOf = (i: number): number => Math.floor((i % channels) / (channels / groups))
  const result = new Array<number>(x.length).fill(0)
  for (let group = 0; group < groups; group++) {
    const own = x.map((_, i) => i).filter((i) => groupOf(i) === group)
    const mean = own.reduce((sum, i) => sum + (x[i] ?? 0), 0) / own.length
    const variance = own.reduce((sum, i) => sum + ((x[i] ?? 0) - mean) ** 2, 0) / own.length
    for (const i of own)
      result[i] =
        (((x[i] ?? 0) - mean) / Math.sqrt(variance + 1e-6)) * (scale[i % channels] ?? 0) +
        (shift[i % channels] ?? 0)
  }
  return result
}

describe.each([
  [8, 4, false],
  [8, 1, false],
  [8, 8, true],
  [6, 2, true],
])('group norm, %i channels in %i groups, with SiLU: %s', (channels, groups, silu) => {
  const positions = 9
  const size = positions * channels
  const [x, g] = [numbers(2 * size).map((v) => v + 3), numbers(2 * size)]
  const [scale, shift] = [numbers(channels), numbers(channels)]
  const both = (at: number[], s = scale, b = shift): number[] =>
    [0, 1]
      .flatMap((n) => plainGroupNorm(at.slice(n * size, (n + 1) * size), channels, groups, s, b))
      .map((u) => (silu ? u / (1 + Math.exp(-u)) : u))
  const inputs = (): tf.Tensor[] => [
    tf.tensor3d(x, [2, positions, channels]),
    tf.tensor1d(scale),
    tf.tensor1d(shift),
  ]
  const run = (t: tf.Tensor, s: tf.Tensor, b: tf.Tensor): tf.Tensor =>
    groupNorm(t as tf.Tensor3D, s, b, { groups, epsilon: 1e-6, silu })

  test('value', () => {
    const [t, s, b] = inputs()
    if (!t || !s || !b) throw new Error('missing')
    expect(relativeError(run(t, s, b), both(x))).toBeLessThan(2e-6)
  })

  test('gradients to input, scale and shift', () => {
    const upstream = tf.tensor3d(g, [2, positions, channels])
    const grads = tf.grads((t, s, b) => run(t, s, b))(inputs(), upstream)
    const expected = [
      differences((at) => both(at), x, g),
      differences((at) => both(x, at), scale, g),
      differences((at) => both(x, scale, at), shift, g),
    ]
    grads.forEach((grad, i) => expect(relativeError(grad, expected[i] ?? [])).toBeLessThan(1e-5))
  })
})
