// Convolutions in float32 and their gradients by our native module, with Winograd's algorithm, which takes about half of the
// multiplications (`resources/native/gyre_winograd.cpp`). For the processor only; runs after what fuses convolutions.
import { dataTypes, integersOf, typeOf, type Graph, type GraphNode, type Ref } from './graph'

type Replacement = Pick<GraphNode, 'op' | 'inputs' | 'attributes'>

/** With fewer channels on one side, what lies around the multiplications costs more than is saved. */
const leastChannels = 16

/** The filters that the module's operations are for, by their edge, and the steps that go with each. */
const stepsOf: Readonly<Record<number, number>> = { 3: 1, 4: 2 }

/**
 * Whether ours does what the convolution `node` does with a filter `w` [F, F, C, K] on images of `channels`: there are zeros
 * around them.
 */
function fits(node: GraphNode, w: readonly number[], channels: number | undefined): boolean {
  const [edge = 0, width, ...counts] = w
  const { attributes, outputs } = node
  const { dilations, padding, data_format: format } = attributes
  const step = stepsOf[edge]
  return (
    outputs[0]?.dtype === dataTypes.float32 &&
    width === edge &&
    // Not where each filter reads some of the channels only.
    counts[0] === channels &&
    counts.every((count) => count >= leastChannels) &&
    step !== undefined &&
    integersOf(node, 'strides')?.join() === [1, step, step, 1].join() &&
    (dilations === undefined || integersOf(node, 'dilations')?.join() === '1,1,1,1') &&
    padding?.value === 'SAME' &&
    format?.value === 'NHWC'
  )
}

/** The operation in place of `node`, or null where there is none. */
function replacement(graph: Graph, node: GraphNode): Replacement | null {
  const [first, second, third] = node.inputs
  const shapeOf = (ref: Ref | undefined): readonly number[] => (ref ? typeOf(graph, ref).shape : [])
  const result = node.outputs[0]?.shape ?? []
  const own = (
    op: string,
    [shape, images]: [w: readonly number[], x: readonly number[]],
    ...inputs: (Ref | undefined)[]
  ) => {
    if (!fits(node, shape, images[3])) return null
    const steps = node.attributes['fused_ops']
    const relu = steps?.kind === 'strings' && steps.value.includes('LeakyRelu')
    const filter = { kind: 'int', value: shape[0] ?? 0 } as const
    return {
      op,
      inputs: inputs.filter((ref) => ref !== undefined),
      attributes: { filter, relu: { kind: 'bool', value: relu } as const },
    }
  }
  switch (node.op) {
    case 'Conv2D':
      return own('GyreConvolution', [shapeOf(second), shapeOf(first)], first, second)
    case '_FusedConv2D':
      return own('GyreConvolutionBias', [shapeOf(second), shapeOf(first)], first, second, third)
    case 'Conv2DBackpropInput':
      return own('GyreConvolutionBack', [shapeOf(second), result], first, second, third)
    case 'Conv2DBackpropFilter':
      return own('GyreConvolutionFilter', [result, shapeOf(first)], first, third)
    default:
      return null
  }
}

/** Changes `graph` in place; indices of nodes stay what they were. */
export function useWinograd(graph: Graph): void {
  for (const node of graph.nodes) Object.assign(node, replacement(graph, node))
}
