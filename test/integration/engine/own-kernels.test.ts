// Our native module's operations in bfloat16 against TensorFlow's own: the same bits where both round once, and closer to the
// exact sums where TensorFlow rounds a gradient to bfloat16.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataTypes, nodeAt, typeAttribute, type Ref } from '#main/engine/compile/graph'
import { useOwnKernels } from '#main/engine/compile/own-kernels'
import {
  GraphBuilder,
  attributesOf,
  biasAttributes,
  finite,
  graphRunner,
  numbers,
  outputOf,
  plain,
  reshape,
  sizeOf,
  value,
  windows,
  type Convolution,
  type Shape,
} from '../../support/small-graph'

const runner = graphRunner()

const { bfloat16 } = dataTypes

const shapes = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70 }))

/** The nearest bfloat16. */
function rounded(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0] ?? 0
  const even = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000
  return new Float32Array(Uint32Array.of(even).buffer)[0] ?? NaN
}

it('are there on a processor with matrix tiles', (context) => {
  runner.needs(context, 'GyreFilterGradient')
  const make = (b: GraphBuilder): Ref => b.node('Relu', [b.input('x', [2, 3])], [2, 3])
  expect(runner.run(make, new Map([['x', new Float32Array(6)]]), useOwnKernels).ops).toContain('GyreRelu')
})

describe('what is cheap between convolutions has TensorFlow’s bits', () => {
  const cases: [string, (b: GraphBuilder, shape: Shape) => Ref][] = [
    ['Relu', (b, shape) => b.node('Relu', [b.input('x', shape)], shape)],
    ['ReluGrad', (b, shape) => b.node('ReluGrad', [b.input('x', shape), b.input('y', shape)], shape)],
    ['AddV2', (b, shape) => b.node('AddV2', [b.input('x', shape), b.input('y', shape)], shape)],
    [
      'BiasAdd',
      (b, shape) =>
        b.node('BiasAdd', [b.input('x', shape), b.input('bias', shape.slice(-1))], shape, biasAttributes),
    ],
  ]
  it.for(cases)('%s', ([op, build], context) => {
    runner.needs(context, 'GyreFilterGradient')
    const given = shapes.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        numbers(sizeOf(shape), value),
        // An activation that is no number makes the loss none: the step is thrown away, whatever its gradients are.
        numbers(sizeOf(shape), op === 'ReluGrad' ? value.filter((y) => !Number.isNaN(y)) : value),
        numbers(shape[1], value),
      ),
    )
    fc.assert(
      fc.property(given, ([shape, x, y, bias]) => {
        const inputs = new Map([
          ['x', x],
          ['y', y],
          ['bias', bias],
        ])
        const theirs = runner.run((b) => build(b, shape), inputs)
        const ours = runner.run((b) => build(b, shape), inputs, useOwnKernels)
        expect(ours.ops.some((name) => name.startsWith('Gyre'))).toBe(true)
        expect(plain(ours.values)).toEqual(plain(theirs.values))
      }),
      { numRuns: 40 },
    )
  })
})

const convolutions: fc.Arbitrary<Convolution> = fc
  .record({
    images: fc.integer({ min: 1, max: 3 }),
    size: fc.tuple(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 4, max: 9 })),
    kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    channels: fc.constantFrom(1, 3, 4, 16, 17, 40),
    filters: fc.constantFrom(1, 5, 16, 33, 48),
    stride: fc.integer({ min: 1, max: 3 }),
    padding: fc.constantFrom('SAME' as const, 'VALID' as const),
  })
  .map(({ images, size, kernel, channels, filters, stride, padding }) => ({
    image: [images, ...size, channels],
    kernel: [...kernel, channels, filters],
    stride,
    padding,
  }))

/** The gradient of the filter by its definition, in double precision. [KH, KW, C, K] */
function filterGradient(convolution: Convolution, x: Float32Array, g: Float32Array): number[] {
  const [images = 0, height = 0, width = 0, channels = 0] = convolution.image
  const [kernelHeight = 0, kernelWidth = 0, , filters = 0] = convolution.kernel
  const [rows = 0, columns = 0] = windows(convolution)
  const { stride, padding } = convolution
  const before = (size: number, count: number, edge: number): number =>
    padding === 'VALID' ? 0 : Math.max(0, Math.floor(((count - 1) * stride + edge - size) / 2))
  const [top, left] = [before(height, rows, kernelHeight), before(width, columns, kernelWidth)]
  const result = new Array<number>(sizeOf(convolution.kernel)).fill(0)
  for (let n = 0; n < images; n++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        for (let i = 0; i < kernelHeight; i++)
          for (let j = 0; j < kernelWidth; j++) {
            const [y, at] = [row * stride + i - top, column * stride + j - left]
            if (y < 0 || y >= height || at < 0 || at >= width) continue
            for (let c = 0; c < channels; c++)
              for (let k = 0; k < filters; k++) {
                const index = ((i * kernelWidth + j) * channels + c) * filters + k
                const a = x[((n * height + y) * width + at) * channels + c] ?? NaN
                const b = g[((n * rows + row) * columns + column) * filters + k] ?? NaN
                result[index] = (result[index] ?? 0) + rounded(a) * rounded(b)
              }
          }
  return result
}

describe('gradients come in float32', () => {
  it('of a filter', (context) => {
    runner.needs(context, 'GyreFilterGradient')
    const given = convolutions.chain((convolution) =>
      fc.tuple(
        fc.constant(convolution),
        numbers(sizeOf(convolution.image), finite),
        numbers(sizeOf(outputOf(convolution)), finite),
      ),
    )
    fc.assert(
      fc.property(given, ([convolution, x, g]) => {
        const inputs = new Map([
          ['x', x],
          ['g', g],
        ])
        const { values, ops } = runner.run(
          (b) => {
            const [image, back] = [b.input('x', convolution.image), b.input('g', outputOf(convolution))]
            const refs = [image, b.sizes(convolution.kernel), back]
            const gradient = b.node(
              'Conv2DBackpropFilter',
              refs,
              convolution.kernel,
              attributesOf(convolution),
            )
            return b.node('Reshape', [gradient, b.sizes([-1])], [sizeOf(convolution.kernel)], reshape)
          },
          inputs,
          useOwnKernels,
        )
        expect(ops).toContain('GyreFilterGradient')
        const exact = filterGradient(convolution, x, g)
        // Of some thousand products of up to 64.
        exact.forEach((wanted, i) => expect(Math.abs((values[i] ?? NaN) - wanted)).toBeLessThan(2e-3))
      }),
      { numRuns: 30 },
    )
  })

  it('of a bias', (context) => {
    runner.needs(context, 'GyreFilterGradient')
    const given = shapes.chain((shape) =>
      fc.tuple(fc.constant([shape[0] * 300, shape[1]] as const), numbers(shape[0] * 300 * shape[1], finite)),
    )
    fc.assert(
      fc.property(given, ([shape, g]) => {
        const [, columns] = shape
        const { values, ops } = runner.run(
          (b) => b.node('BiasAddGrad', [b.input('g', shape)], [columns], biasAttributes),
          new Map([['g', g]]),
          useOwnKernels,
        )
        expect(ops).toContain('GyreBiasGradient')
        values.forEach((sum, column) => {
          let exact = 0
          for (let i = column; i < g.length; i += columns) exact += rounded(g[i] ?? NaN)
          expect(Math.abs(sum - exact)).toBeLessThan(1e-2)
        })
      }),
      { numRuns: 10 },
    )
  })

  it('but not where something reads them in bfloat16', () => {
    const builder = new GraphBuilder()
    const sum = builder.node('BiasAddGrad', [builder.input('g', [4, 3])], [3], biasAttributes)
    const twice = builder.node('AddN', [sum, sum], [3], {
      T: typeAttribute(bfloat16),
      N: { kind: 'int', value: 2 },
    })
    builder.cast(twice, dataTypes.float32)
    useOwnKernels(builder.graph)
    expect(nodeAt(builder.graph, sum.node).op).toBe('BiasAddGrad')
  })
})
