// Small graphs for tests of single operations, and the numbers that they are given.
import fc from 'fast-check'
import { afterAll, beforeAll, type TestContext } from 'vitest'
import {
  append,
  dataTypes,
  typeAttribute,
  typeOf,
  type Attribute,
  type Graph,
  type Ref,
} from '#main/engine/compile/graph'
import { GraphSession } from '#main/engine/compile/session'
import { loadEngine, type Engine, type NativeGraph } from '#main/engine/index'

const { float32, bfloat16, int32 } = dataTypes
export type Shape = readonly number[]

/** A graph of inputs, rounded to bfloat16 where that is not said otherwise, and of one operation that reads them. */
export class GraphBuilder {
  readonly graph: Graph = { nodes: [] }
  readonly feeds = new Map<string, Ref>()

  input(name: string, shape: Shape, dtype: number = bfloat16): Ref {
    const attributes = { dtype: typeAttribute(float32), shape: { kind: 'shape', value: shape } as const }
    const outputs = [{ dtype: float32, shape }]
    const feed = append(this.graph, { op: 'Placeholder', inputs: [], attributes, outputs })
    this.feeds.set(name, feed)
    return dtype === float32 ? feed : this.cast(feed, dtype)
  }

  cast(ref: Ref, to: number): Ref {
    const { dtype, shape } = typeOf(this.graph, ref)
    const attributes = { SrcT: typeAttribute(dtype), DstT: typeAttribute(to) }
    return this.node('Cast', [ref], shape, attributes, to)
  }

  sizes(shape: Shape): Ref {
    const constant = new Uint8Array(Int32Array.from(shape).buffer)
    const outputs = [{ dtype: int32, shape: [shape.length] }]
    return append(this.graph, { op: 'Const', inputs: [], attributes: {}, outputs, constant })
  }

  node(
    op: string,
    inputs: Ref[],
    shape: Shape,
    attributes: Record<string, Attribute> = { T: typeAttribute(bfloat16) },
    dtype: number = bfloat16,
  ): Ref {
    return append(this.graph, { op, inputs, attributes, outputs: [{ dtype, shape }] })
  }
}

export const reshape = { T: typeAttribute(bfloat16), Tshape: typeAttribute(int32) }
export const biasAttributes: Record<string, Attribute> = {
  T: typeAttribute(bfloat16),
  data_format: { kind: 'string', value: 'NHWC' },
}

interface Ran {
  values: Float32Array
  /** Every operation of the graph. */
  ops: string[]
}

/** Runs what `build` makes, after `passes`; what comes out is in float32. */
function run(
  native: NativeGraph,
  build: (builder: GraphBuilder) => Ref,
  inputs: ReadonlyMap<string, Float32Array>,
  passes: ((graph: Graph) => void)[],
): Ran {
  const builder = new GraphBuilder()
  const { graph, feeds } = builder
  const result = builder.cast(build(builder), float32)
  for (const pass of passes) pass(graph)
  const session = new GraphSession(native, new Uint8Array())
  try {
    const call = session.add({ graph, feeds, fetches: new Map([['y', result]]), targets: [] })
    const values = call(inputs).get('y')?.values as Float32Array
    return { values, ops: graph.nodes.map(({ op }) => op) }
  } finally {
    session.close()
  }
}

export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1)

/** TensorFlow takes what is too small to be normal for zero. */
export const finite = fc.float({ min: -8, max: 8, noNaN: true }).map((x) => (Math.abs(x) < 1e-30 ? 0 : x))
export const value = fc.oneof(
  { weight: 30, arbitrary: finite },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 1e-30, 3e38) },
)
export const numbers = (count: number, of: fc.Arbitrary<number>): fc.Arbitrary<Float32Array> =>
  fc.array(of, { minLength: count, maxLength: count }).map((all) => Float32Array.from(all))

/** A zero has no sign, and a fused ReLU leaves a trace of a negative number. */
export const plain = (values: Float32Array): number[] => [...values].map((x) => (Math.abs(x) < 1e-30 ? 0 : x))

export interface Convolution {
  image: Shape
  kernel: Shape
  stride: number
  padding: 'SAME' | 'VALID'
}

/** Height and width of what the windows make. */
export function windows({ image, kernel, stride, padding }: Convolution): number[] {
  return [0, 1].map((i) => {
    const [size, edge] = [image[i + 1] ?? 0, kernel[i] ?? 0]
    return padding === 'SAME' ? Math.ceil(size / stride) : Math.floor((size - edge) / stride) + 1
  })
}

export const outputOf = (convolution: Convolution): number[] => [
  convolution.image[0] ?? 0,
  ...windows(convolution),
  convolution.kernel[3] ?? 0,
]

export const attributesOf = (
  { stride, padding }: Convolution,
  dtype: number = bfloat16,
): Record<string, Attribute> => ({
  T: typeAttribute(dtype),
  strides: { kind: 'ints', value: [1, stride, stride, 1] },
  padding: { kind: 'string', value: padding },
  data_format: { kind: 'string', value: 'NHWC' },
  dilations: { kind: 'ints', value: [1, 1, 1, 1] },
})

/** TensorFlow, loaded before the first test of a file and closed after the last, for running such graphs. */
export function graphRunner(): {
  run: (
    build: (builder: GraphBuilder) => Ref,
    inputs: ReadonlyMap<string, Float32Array>,
    ...passes: ((graph: Graph) => void)[]
  ) => Ran
  needs: (context: TestContext, operation: string) => void
} {
  let engine: Engine
  const native = (): NativeGraph => {
    if (!engine.graphs) throw new Error('This engine runs no graphs.')
    return engine.graphs
  }
  beforeAll(async () => {
    engine = await loadEngine('tensorflow-cpu')
  })
  afterAll(() => engine.close())
  return {
    run: (build, inputs, ...passes) => run(native(), build, inputs, passes),
    /** Where the module has no operations of its own, there is nothing to compare. */
    needs: (context, operation) => {
      context.skip(
        !native().operations().includes(operation),
        `Gyre has no ${operation} for this processor: TensorFlow’s own operations are used.`,
      )
    },
  }
}
