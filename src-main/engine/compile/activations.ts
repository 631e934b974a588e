// A convolution, its bias and its ReLU as one operation: the result is written once instead of three times. For the
// processor only. Runs late: of the other passes only `useWinograd` knows what it makes.
import {
  consumersOf,
  dataTypes,
  nodeAt,
  typeOf,
  type Attribute,
  type Graph,
  type GraphNode,
  type Ref,
} from './graph'

/** The node behind `ref` where it is `op` and nobody else reads it. */
function onlyRead(
  graph: Graph,
  consumers: readonly number[][],
  ref: Ref | undefined,
  op: string,
): GraphNode | null {
  const node = ref && nodeAt(graph, ref.node)
  return node?.op === op && consumers[ref?.node ?? -1]?.length === 1 ? node : null
}

/** TensorFlow has the fused convolution in float32, and its oneDNN kernel under another name in bfloat16 too. */
function operation(dtype: number): { op: string; attributes: Record<string, Attribute> } {
  if (dtype === dataTypes.float32) return { op: '_FusedConv2D', attributes: {} }
  return {
    op: '_MklNativeFusedConv2D',
    attributes: { _kernel: { kind: 'string', value: 'MklNameChangeOp' } },
  }
}

const sumOnly: Record<string, Attribute> = { fused_ops: { kind: 'strings', value: ['BiasAdd'] } }
/**
 * As a ReLU, oneDNN would make zero of what is not a number, and a step that went wrong would pass as sound. With the
 * smallest normal slope it does not, and what is left of a negative number (at most 4, of the largest there is) vanishes
 * in any sum of ordinary ones. Minus infinity stays in oneDNN's, and makes the step unsound where eagerly it becomes zero.
 */
const leaky: Record<string, Attribute> = {
  fused_ops: { kind: 'strings', value: ['BiasAdd', 'LeakyRelu'] },
  leakyrelu_alpha: { kind: 'float', value: 2 ** -126 },
}

/** Makes each `last`, the ReLU or the sum with the bias, one operation with what comes before it. */
function fuseUpTo(graph: Graph, last: 'Relu' | 'BiasAdd'): void {
  const consumers = consumersOf(graph)
  for (const node of graph.nodes) {
    if (node.op !== last) continue
    const added = last === 'Relu' ? onlyRead(graph, consumers, node.inputs[0], 'BiasAdd') : node
    const [product, bias] = added?.inputs ?? []
    const convolution = onlyRead(graph, consumers, product, 'Conv2D')
    if (!convolution || !product || !bias) continue
    const { dtype } = typeOf(graph, product)
    const { op, attributes } = operation(dtype)
    node.op = op
    node.inputs = [...convolution.inputs, bias]
    node.attributes = {
      ...convolution.attributes,
      ...attributes,
      TArgs: { kind: 'types', value: [dtype] },
      num_args: { kind: 'int', value: 1 },
      num_host_args: { kind: 'int', value: 0 },
      ...(last === 'Relu' ? leaky : sumOnly),
    }
  }
}

/** relu(conv(x, w) + b) and conv(x, w) + b. Changes `graph` in place; indices of nodes stay what they were. */
export function fuseActivations(graph: Graph): void {
  fuseUpTo(graph, 'Relu')
  fuseUpTo(graph, 'BiasAdd')
}
