// Our group normalisation against the definition in double precision, over several chunks of rows and with channels that fill
// no whole vector; in bfloat16 what is read and written is rounded, and nothing else.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { dataTypes, typeAttribute, type Attribute, type Ref } from '#main/engine/compile/graph'
import { composedGroupNorm, groupNorm, silu } from '#main/model/ops'
import { createRandom } from '#main/model/index'
import { graphRunner, type GraphBuilder } from '../../support/small-graph'

const runner = graphRunner()
const epsilon = 1e-6

interface Given {
  images: number
  positions: number
  channels: number
  groups: number
  silu: boolean
}

const cases: Given[] = [
  { images: 2, positions: 700, channels: 48, groups: 12, silu: true },
  { images: 1, positions: 256, channels: 32, groups: 32, silu: false },
  { images: 3, positions: 5, channels: 6, groups: 2, silu: true },
  { images: 1, positions: 513, channels: 20, groups: 1, silu: true },
]

/** Numbers around `middle`. */
function numbers(count: number, seed: number, middle = 0): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: count }, () => middle + 2 * random.uniform() - 1)
}

interface Values {
  x: Float32Array
  g: Float32Array
  scale: Float32Array
  shift: Float32Array
}

function valuesOf({ images, positions, channels }: Given): Values {
  const size = images * positions * channels
  return {
    // Far from zero: a variance from squares would lose all its digits.
    ...{ x: numbers(size, 1, 30), g: numbers(size, 2) },
    ...{ scale: numbers(channels, 3, 1), shift: numbers(channels, 4) },
  }
}

interface Exact {
  y: Float64Array
  dx: Float64Array
  dscale: Float64Array
  dshift: Float64Array
}

/** The definition, and its gradient, in double precision. */
function exact({ images, positions, channels, groups, silu: activates }: Given, values: Values): Exact {
  const { x, g, scale, shift } = values
  const found: Exact = {
    ...{ y: new Float64Array(x.length), dx: new Float64Array(x.length) },
    ...{ dscale: new Float64Array(channels), dshift: new Float64Array(channels) },
  }
  const each = channels / groups
  for (let n = 0; n < images; n++)
    for (let group = 0; group < groups; group++) {
      const own = Array.from({ length: positions * each }, (_, i) => {
        const [p, c] = [Math.floor(i / each), group * each + (i % each)]
        return { at: (n * positions + p) * channels + c, c }
      })
      const average = (of: (at: number, c: number) => number): number =>
        own.reduce((sum, { at, c }) => sum + of(at, c), 0) / own.length
      const mean = average((at) => x[at] ?? NaN)
      const inverse = 1 / Math.sqrt(average((at) => ((x[at] ?? NaN) - mean) ** 2) + epsilon)
      const normal = (at: number): number => ((x[at] ?? NaN) - mean) * inverse
      const slope = (at: number, c: number): number => {
        const u = normal(at) * (scale[c] ?? NaN) + (shift[c] ?? NaN)
        const s = 1 / (1 + Math.exp(-u))
        found.y[at] = activates ? u * s : u
        return (g[at] ?? NaN) * (activates ? s * (1 + u * (1 - s)) : 1)
      }
      const plain = average((at, c) => slope(at, c) * (scale[c] ?? NaN))
      const along = average((at, c) => slope(at, c) * (scale[c] ?? NaN) * normal(at))
      for (const { at, c } of own) {
        const d = slope(at, c)
        found.dx[at] = inverse * ((scale[c] ?? NaN) * d - plain - normal(at) * along)
        found.dscale[c] = (found.dscale[c] ?? NaN) + d * normal(at)
        found.dshift[c] = (found.dshift[c] ?? NaN) + d
      }
    }
  return found
}

/** The largest difference, by the largest number. */
function error(values: ArrayLike<number>, wanted: Float64Array): number {
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - (values[i] ?? NaN)) / scale), 0)
}

describe.each(cases)('$images × $positions × $channels in $groups groups, SiLU: $silu', (given) => {
  const { images, positions, channels, groups } = given
  const shape: [number, number, number] = [images, positions, channels]
  const values = valuesOf(given)
  const wanted = exact(given, values)
  const options = { groups, epsilon, silu: given.silu }

  it('is the definition, and so is its gradient', (context) => {
    runner.needs(context, 'GyreGroupNorm')
    const results = tf.tidy(() => {
      const inputs = [tf.tensor3d(values.x, shape), tf.tensor1d(values.scale), tf.tensor1d(values.shift)]
      const run = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor =>
        groupNorm(x as tf.Tensor3D, scale, shift, options)
      const gradients = tf.grads(run)(inputs, tf.tensor3d(values.g, shape))
      const [x, scale, shift] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor]
      return [run(x, scale, shift), ...gradients].map((tensor) => tensor.dataSync())
    })
    const [y = [], dx = [], dscale = [], dshift = []] = results
    expect(error(y, wanted.y)).toBeLessThan(2e-5)
    expect(error(dx, wanted.dx)).toBeLessThan(2e-5)
    expect(error(dscale, wanted.dscale)).toBeLessThan(2e-5)
    expect(error(dshift, wanted.dshift)).toBeLessThan(2e-5)
  })

  it('is what other engines compose', () => {
    const composed = tf.tidy(() => {
      const inputs = [tf.tensor1d(values.scale), tf.tensor1d(values.shift)] as const
      const y = composedGroupNorm(tf.tensor3d(values.x, shape), ...inputs, options)
      return (given.silu ? silu(y) : y).dataSync()
    })
    expect(error(composed, wanted.y)).toBeLessThan(2e-5)
  })
})

/** Runs both ways in a graph, each operand in the type that is said, and fetches one of the results in float32. */
function inGraph(
  { images, positions, channels, groups, silu: activates }: Given,
  { x, g, scale, shift }: Values,
  [Tg, Tx, Ty]: readonly [number, number, number],
  wanted: 'y' | 'dx' | 'dscale' | 'dshift',
): Float32Array {
  const shape = [images, positions, channels]
  const attributes: Record<string, Attribute> = {
    ...{ Tx: typeAttribute(Tx), Ty: typeAttribute(Ty) },
    groups: { kind: 'int', value: groups },
    epsilon: { kind: 'float', value: epsilon },
    silu: { kind: 'bool', value: activates },
  }
  const build = (b: GraphBuilder): Ref => {
    const of = [b.input('scale', [channels], float32), b.input('shift', [channels], float32)]
    const source = b.input('x', shape, Tx)
    const y = b.node('GyreGroupNorm', [source, ...of], shape, attributes, Ty)
    b.graph.nodes[y.node]?.outputs.push({ dtype: float32, shape: [images, 2, channels] })
    const inputs = [b.input('g', shape, Tg), source, ...of, { node: y.node, output: 1 }]
    const dx = b.node('GyreGroupNormBack', inputs, shape, { ...attributes, Tg: typeAttribute(Tg) }, Ty)
    for (let i = 0; i < 2; i++) b.graph.nodes[dx.node]?.outputs.push({ dtype: float32, shape: [channels] })
    return { y, dx, dscale: { node: dx.node, output: 1 }, dshift: { node: dx.node, output: 2 } }[wanted]
  }
  return runner.run(build, new Map(Object.entries({ x, g, scale, shift }))).values
}

const { float32, bfloat16 } = dataTypes
const mixtures = [
  [bfloat16, bfloat16, bfloat16],
  [float32, bfloat16, bfloat16],
  [bfloat16, float32, float32],
] as const

it.for(cases)('reads and writes bfloat16: $positions × $channels', (given, context) => {
  runner.needs(context, 'GyreGroupNorm')
  // Numbers with no more digits than bfloat16 has: only results are rounded.
  const all = valuesOf(given)
  const coarse = (values: Float32Array): Float32Array => values.map((x) => Math.round(x * 4) / 4)
  const values = { ...all, x: coarse(all.x), g: coarse(all.g) }
  const exactly = exact(given, values)
  for (const types of mixtures)
    for (const wanted of ['y', 'dx', 'dscale', 'dshift'] as const) {
      const isLow = types[2] === bfloat16 && (wanted === 'y' || wanted === 'dx')
      const found = error(inGraph(given, values, types, wanted), exactly[wanted])
      expect(found).toBeLessThan(isLow ? 2 ** -8 : 2e-5)
      if (isLow) expect(found).toBeGreaterThan(0)
    }
})

it.for([NaN, Infinity, -Infinity])('a single %f is not lost', (wrong, context) => {
  runner.needs(context, 'GyreGroupNorm')
  for (const given of cases)
    for (const types of mixtures)
      for (const name of ['x', 'g', 'scale', 'shift'] as const) {
        const values = valuesOf(given)
        values[name][1] = wrong
        const results = (['y', 'dx'] as const).map((wanted) => inGraph(given, values, types, wanted))
        // A shift is not read on the way back where nothing follows; g is read there only.
        expect(results.some((all) => all.some((value) => !Number.isFinite(value)))).toBe(true)
      }
})

it('says that numbers too large for a variance make none', (context) => {
  runner.needs(context, 'GyreGroupNorm')
  const [given] = cases
  if (!given) throw new Error('There is no case.')
  const values = valuesOf(given)
  const { channels } = given
  values.x.forEach((_, i) => (values.x[i] = Math.floor(i / channels) % 2 === 0 ? 1e20 : -1e20))
  expect(inGraph(given, values, [float32, float32, float32], 'y').some(Number.isNaN)).toBe(true)
})

it('gives the same bits every time', (context) => {
  runner.needs(context, 'GyreGroupNorm')
  const [given] = cases
  if (!given) throw new Error('There is no case.')
  for (const wanted of ['y', 'dx', 'dscale'] as const) {
    const run = (): Float32Array => inGraph(given, valuesOf(given), [float32, float32, float32], wanted)
    const first = run()
    for (let i = 0; i < 4; i++) expect(run()).toEqual(first)
  }
})
