// Our convolutions of 3×3, and of 4×4 in steps of two, and their gradients against the definition in double precision:
// whatever the size, as near to the exact sums as float32 can be.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fuseActivations } from '#main/engine/compile/activations'
import { dataTypes, typeAttribute, type Ref } from '#main/engine/compile/graph'
import { useWinograd } from '#main/engine/compile/winograd'
import {
  GraphBuilder,
  attributesOf,
  biasAttributes,
  graphRunner,
  outputOf,
  sizeOf,
  type Convolution,
  type Shape,
} from '../../support/small-graph'

const runner = graphRunner()
const { float32 } = dataTypes
const T = typeAttribute(float32)

interface Given extends Convolution {
  x: Float32Array
  w: Float32Array
  g: Float32Array
  bias: Float32Array
}

/** Numbers of mixed size and sign, from a seed: arrays of thousands that need not shrink. */
function numbers(count: number, seed: number): Float32Array {
  let state = 2 * seed + 1
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state / 2 ** 31
  })
}

const given: fc.Arbitrary<Given> = fc
  .record({
    images: fc.integer({ min: 1, max: 4 }),
    height: fc.integer({ min: 1, max: 11 }),
    width: fc.integer({ min: 1, max: 11 }),
    channels: fc.constantFrom(16, 17, 32, 40, 64, 100),
    filters: fc.constantFrom(16, 24, 33, 48, 64, 130),
    stride: fc.constantFrom(1, 2),
    seed: fc.nat(),
  })
  .map(({ images, height, width, channels, filters, stride, seed }) => {
    const convolution = {
      image: [images, height, width, channels],
      kernel: [2 + stride, 2 + stride, channels, filters],
      stride,
      padding: 'SAME' as const,
    }
    const { image, kernel } = convolution
    return {
      ...convolution,
      x: numbers(sizeOf(image), seed + 1),
      w: numbers(sizeOf(kernel), seed + 2),
      g: numbers(sizeOf(outputOf(convolution)), seed + 3),
      bias: numbers(filters, seed + 4),
    }
  })

/** Calls `visit` for every product of the convolution: positions in x [N, H, W, C], w [F, F, C, K], y [N, OH, OW, K]. */
function products(all: Given, visit: (x: number, w: number, y: number) => void): void {
  const [images = 0, height = 0, width = 0, channels = 0] = all.image
  const [edge = 0, , , filters = 0] = all.kernel
  const [, rows = 0, columns = 0] = outputOf(all)
  const { stride } = all
  for (let n = 0; n < images; n++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        for (let tap = 0; tap < edge * edge; tap++) {
          const [y, x] = [row * stride + Math.floor(tap / edge) - 1, column * stride + (tap % edge) - 1]
          if (y < 0 || y >= height || x < 0 || x >= width) continue
          const [from, to] = [(n * height + y) * width + x, (n * rows + row) * columns + column]
          for (let c = 0; c < channels; c++)
            for (let k = 0; k < filters; k++)
              visit(from * channels + c, (tap * channels + c) * filters + k, to * filters + k)
        }
}

interface Exact {
  sums: Float64Array
  /** The largest sum of the products' sizes: what rounding is measured by. */
  scale: number
}

type Wanted = 'y' | 'x' | 'w'

/** y, or the gradient of the images or of the filter, in double precision. */
function exact(all: Given, wanted: Wanted): Exact {
  const target = { y: all.g, x: all.x, w: all.w }[wanted]
  const [sums, sizes] = [new Float64Array(target.length), new Float64Array(target.length)]
  products(all, (x, w, y) => {
    const at = { x, w, y }[wanted]
    const product =
      (wanted === 'x' ? 1 : (all.x[x] ?? NaN)) *
      (wanted === 'w' ? 1 : (all.w[w] ?? NaN)) *
      (wanted === 'y' ? 1 : (all.g[y] ?? NaN))
    sums[at] = (sums[at] ?? 0) + product
    sizes[at] = (sizes[at] ?? 0) + Math.abs(product)
  })
  return { sums, scale: sizes.reduce((a, b) => Math.max(a, b), 0) }
}

const worst = (values: Float32Array, { sums, scale }: Exact): number =>
  values.reduce((most, value, i) => Math.max(most, Math.abs(value - (sums[i] ?? NaN)) / scale), 0)

/** Each operation as TensorFlow's, over all that is given. */
const operations: [own: string, wanted: Wanted, build: (b: GraphBuilder, all: Given) => Ref][] = [
  [
    'GyreConvolution',
    'y',
    (b, all) =>
      b.node(
        'Conv2D',
        [b.input('x', all.image, float32), b.input('w', all.kernel, float32)],
        outputOf(all),
        attributesOf(all, float32),
        float32,
      ),
  ],
  [
    'GyreConvolutionBack',
    'x',
    (b, all) =>
      b.node(
        'Conv2DBackpropInput',
        [b.sizes(all.image), b.input('w', all.kernel, float32), b.input('g', outputOf(all), float32)],
        all.image,
        attributesOf(all, float32),
        float32,
      ),
  ],
  [
    'GyreConvolutionFilter',
    'w',
    (b, all) =>
      b.node(
        'Conv2DBackpropFilter',
        [b.input('x', all.image, float32), b.sizes(all.kernel), b.input('g', outputOf(all), float32)],
        all.kernel,
        attributesOf(all, float32),
        float32,
      ),
  ],
]

/** What the graph reads, of all that is given. */
function run(build: (b: GraphBuilder) => Ref, all: Given, ...passes: Parameters<typeof runner.run>[2][]) {
  const probe = new GraphBuilder()
  build(probe)
  const { x, w, g, bias } = all
  const inputs = new Map(Object.entries({ x, w, g, bias }).filter(([name]) => probe.feeds.has(name)))
  return runner.run(build, inputs, ...passes)
}

describe('is as near to the exact sums as float32 can be', () => {
  it.for(operations)('%s', ([own, wanted, build], context) => {
    runner.needs(context, own)
    fc.assert(
      fc.property(given, (all) => {
        const { values, ops } = run((b) => build(b, all), all, useWinograd)
        expect(ops).toContain(own)
        expect(worst(values, exact(all, wanted))).toBeLessThan(2 ** -21)
      }),
      { numRuns: 25 },
    )
  })

  it.for([true, false])('with a bias, and a ReLU: %s', (relu, context) => {
    runner.needs(context, 'GyreConvolutionBias')
    fc.assert(
      fc.property(given, (all) => {
        const out = outputOf(all)
        const { values, ops } = run(
          (b) => {
            const inputs = [b.input('x', all.image, float32), b.input('w', all.kernel, float32)]
            const product = b.node('Conv2D', inputs, out, attributesOf(all, float32), float32)
            const bias = b.input('bias', out.slice(-1), float32)
            const sum = b.node('BiasAdd', [product, bias], out, { ...biasAttributes, T }, float32)
            return relu ? b.node('Relu', [sum], out, { T }, float32) : sum
          },
          all,
          fuseActivations,
          useWinograd,
        )
        expect(ops).toContain('GyreConvolutionBias')
        const { sums, scale } = exact(all, 'y')
        const after = sums.map((sum, i) => sum + (all.bias[i % all.bias.length] ?? NaN))
        const wanted = relu ? after.map((sum) => Math.max(0, sum)) : after
        expect(worst(values, { sums: wanted, scale: scale + 1 })).toBeLessThan(2 ** -21)
      }),
      { numRuns: 10 },
    )
  })
})

it('lets what is not a number through, also past a ReLU', (context) => {
  runner.needs(context, 'GyreConvolutionBias')
  const image: Shape = [1, 4, 4, 16]
  const all: Given = {
    ...{ image, kernel: [3, 3, 16, 16], stride: 1, padding: 'SAME' },
    ...{ x: numbers(256, 1), w: new Float32Array(9 * 256).fill(NaN) },
    ...{ g: new Float32Array(256), bias: numbers(16, 2) },
  }
  const { values, ops } = run(
    (b) => {
      const inputs = [b.input('x', image, float32), b.input('w', all.kernel, float32)]
      const product = b.node('Conv2D', inputs, image, attributesOf(all, float32), float32)
      const sums = [product, b.input('bias', [16], float32)]
      const sum = b.node('BiasAdd', sums, image, { ...biasAttributes, T }, float32)
      return b.node('Relu', [sum], image, { T }, float32)
    },
    all,
    fuseActivations,
    useWinograd,
  )
  expect(ops).toContain('GyreConvolutionBias')
  expect(values.every(Number.isNaN)).toBe(true)
})

/** Of 32 channels and 48 filters; enough tiles for several threads. */
function fixed(stride: 1 | 2): Given {
  const convolution = {
    ...{ image: [4, 11 * stride, 11 * stride, 32], kernel: [2 + stride, 2 + stride, 32, 48] },
    ...{ stride, padding: 'SAME' as const },
  }
  return {
    ...convolution,
    ...{ x: numbers(sizeOf(convolution.image), 1), w: numbers(sizeOf(convolution.kernel), 2) },
    ...{ g: numbers(sizeOf(outputOf(convolution)), 3), bias: numbers(48, 4) },
  }
}

it.for([1, 2] as const)('gives the same bits every time, in steps of %i', (stride, context) => {
  runner.needs(context, 'GyreConvolutionFilter')
  const all = fixed(stride)
  for (const [, , build] of operations) {
    const [first, ...others] = Array.from(
      { length: 5 },
      () => run((b) => build(b, all), all, useWinograd).values,
    )
    for (const other of others) expect(other).toEqual(first)
  }
})

it.for([NaN, Infinity, -Infinity])('a single %f is not lost', (wrong, context) => {
  runner.needs(context, 'GyreConvolution')
  for (const stride of [1, 2] as const)
    for (const [, wanted, build] of operations) {
      const all = fixed(stride)
      const read = wanted === 'y' ? all.x : all.g
      read[1000] = wrong
      const { values } = run((b) => build(b, all), all, useWinograd)
      expect(values.some((value) => !Number.isFinite(value))).toBe(true)
    }
})

it.each([
  ['another size', { kernel: [5, 5, 16, 16] }],
  ['3×3 in steps of two', { stride: 2 }],
  ['4×4 in steps of one', { kernel: [4, 4, 16, 16] }],
  ['no zeros around the image', { padding: 'VALID' as const }],
  ['few channels', { kernel: [3, 3, 3, 16] }],
  ['few filters', { kernel: [3, 3, 16, 8] }],
  ['another width', { kernel: [3, 4, 16, 16] }],
])('leaves %s alone', (_, change) => {
  const convolution: Convolution = {
    ...{ image: [1, 8, 8, 16], kernel: [3, 3, 16, 16], stride: 1, padding: 'SAME' },
    ...change,
  }
  const builder = new GraphBuilder()
  const image = [...convolution.image.slice(0, 3), convolution.kernel[2] ?? 0]
  const inputs = [builder.input('x', image, float32), builder.input('w', convolution.kernel, float32)]
  builder.node('Conv2D', inputs, outputOf(convolution), attributesOf(convolution, float32), float32)
  useWinograd(builder.graph)
  expect(builder.graph.nodes.at(-1)?.op).toBe('Conv2D')
})

it('leaves bfloat16, dilated and grouped convolutions alone', () => {
  const convolution: Convolution = {
    ...{ image: [1, 8, 8, 16], kernel: [3, 3, 16, 16] },
    ...{ stride: 1, padding: 'SAME' },
  }
  const attributes = attributesOf(convolution, float32)
  const dilations = { kind: 'ints', value: [1, 2, 2, 1] } as const
  const cases: [dtype: number, channels: number, changes: typeof attributes][] = [
    [dataTypes.bfloat16, 16, { T: typeAttribute(dataTypes.bfloat16) }],
    [float32, 16, { dilations }],
    [float32, 32, {}],
  ]
  for (const [dtype, channels, changes] of cases) {
    const builder = new GraphBuilder()
    const inputs = [builder.input('x', [1, 8, 8, channels], dtype), builder.input('w', [3, 3, 16, 16], dtype)]
    builder.node('Conv2D', inputs, [1, 8, 8, 16], { ...attributes, ...changes }, dtype)
    useWinograd(builder.graph)
    expect(builder.graph.nodes.at(-1)?.op).toBe('Conv2D')
  }
})

it('is there where the processor has AVX-512', (context) => {
  const flags = process.platform === 'linux' ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  context.skip(!/\bavx512f\b/.test(flags), 'This processor has no AVX-512.')
  const all = fixed(1)
  const [[own, , build] = []] = operations
  if (!build) throw new Error('There is no operation.')
  expect(run((b) => build(b, all), all, useWinograd).ops).toContain(own)
})
