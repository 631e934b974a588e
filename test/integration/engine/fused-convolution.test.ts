// Our fused convolutions against TensorFlow's single operations: the same numbers, and what is not a number is not lost.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fuseActivations } from '#main/engine/compile/activations'
import { dataTypes, typeAttribute, type Graph, type Ref } from '#main/engine/compile/graph'
import {
  attributesOf,
  biasAttributes,
  graphRunner,
  numbers,
  outputOf,
  plain,
  sizeOf,
  type Convolution,
  type GraphBuilder,
  type Shape,
} from '../../support/small-graph'

const runner = graphRunner()

const { float32, bfloat16 } = dataTypes

describe('a convolution with its bias and ReLU', () => {
  const convolution: Convolution = { image: [2, 6, 6, 3], kernel: [3, 3, 3, 20], stride: 1, padding: 'SAME' }
  const build =
    (activated: boolean, dtype: number) =>
    (b: GraphBuilder): Ref => {
      const out = outputOf(convolution)
      const input = (name: string, shape: Shape): Ref => b.input(name, shape, dtype)
      const T = typeAttribute(dtype)
      const refs = [input('x', convolution.image), input('w', convolution.kernel)]
      const product = b.node('Conv2D', refs, out, attributesOf(convolution, dtype), dtype)
      const bias = input('bias', out.slice(-1))
      const sum = b.node('BiasAdd', [product, bias], out, { ...biasAttributes, T }, dtype)
      return activated ? b.node('Relu', [sum], out, { T }, dtype) : sum
    }
  const integer = fc.integer({ min: -3, max: 3 })
  const given = fc.tuple(
    numbers(sizeOf(convolution.image), integer),
    numbers(sizeOf(convolution.kernel), fc.integer({ min: -2, max: 2 })),
    numbers(20, integer),
  )
  const ran = (
    dtype: number,
    activated: boolean,
    all: Float32Array[],
    ...passes: ((graph: Graph) => void)[]
  ) => {
    const [x, w, bias] = all
    const inputs = new Map(Object.entries({ x, w, bias })) as Map<string, Float32Array>
    return runner.run(build(activated, dtype), inputs, ...passes)
  }

  it.for([
    ['float32', float32, true],
    ['float32, no ReLU', float32, false],
    ['bfloat16', bfloat16, true],
    ['bfloat16, no ReLU', bfloat16, false],
  ] as const)('is one operation with the same numbers: %s', ([, dtype, activated], context) => {
    if (dtype === bfloat16) runner.needs(context, 'GyreFilterGradient')
    fc.assert(
      // Whole numbers this small are exact in bfloat16, whatever the order of the sums.
      fc.property(given, (all) => {
        const fused = ran(dtype, activated, all, fuseActivations)
        expect(fused.ops.some((op) => op.includes('FusedConv2D'))).toBe(true)
        expect(plain(fused.values)).toEqual(plain(ran(dtype, activated, all).values))
      }),
      { numRuns: 20 },
    )
  })

  it.for([
    ['float32', float32],
    ['bfloat16', bfloat16],
  ] as const)('lets what is not a number through: %s', ([, dtype], context) => {
    if (dtype === bfloat16) runner.needs(context, 'GyreFilterGradient')
    const [x, w, bias] = [convolution.image, convolution.kernel, [20]].map((shape) =>
      new Float32Array(sizeOf(shape)).fill(1),
    ) as [Float32Array, Float32Array, Float32Array]
    w.fill(NaN)
    const { values } = ran(dtype, true, [x, w, bias], fuseActivations)
    expect(values.every(Number.isNaN)).toBe(true)
  })
})
