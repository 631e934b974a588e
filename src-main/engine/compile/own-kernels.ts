// What our native module computes itself in bfloat16 (`resources/native`), on processors with matrix tiles: the gradients of
// filters and biases, which come in float32 and so are not rounded to bfloat16, and what is cheap between convolutions. Runs after
// every pass that knows TensorFlow's operations.
import {
  consumersOf,
  dataTypes,
  integersOf,
  nodeAt,
  typeAttribute,
  typeOf,
  type Attribute,
  type Graph,
  type GraphNode,
} from './graph'

type Replacement = Pick<GraphNode, 'op' | 'inputs' | 'attributes'>

const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value })

/** What SAME adds in front of a dimension: half of what the windows reach over, rounded down. */
const before = (size: number, windows: number, kernel: number, stride: number): number =>
  Math.max(0, Math.floor(((windows - 1) * stride + kernel - size) / 2))

/** The operation in place of `Conv2DBackpropFilter`, or null where it reads the images in a way that ours does not know. */
function filterGradient(graph: Graph, node: GraphNode): Replacement | null {
  const [x, , g] = node.inputs
  const [stepped, dilations] = [integersOf(node, 'strides'), integersOf(node, 'dilations')]
  const { padding, data_format: format } = node.attributes
  const [, ...strides] = stepped?.slice(0, 3) ?? []
  if (!x || !g || strides.length !== 2 || dilations?.some((rate) => rate !== 1)) return null
  if (format?.value !== 'NHWC' || (padding?.value !== 'SAME' && padding?.value !== 'VALID')) return null
  const kernel = node.outputs[0]?.shape.slice(0, 2) ?? []
  const [images, windows] = [x, g].map((ref) => typeOf(graph, ref).shape.slice(1, 3))
  const none = padding.value === 'VALID'
  const paddings = kernel.map((size, i) =>
    none ? 0 : before(images?.[i] ?? 0, windows?.[i] ?? 0, size, strides[i] ?? 1),
  )
  return {
    op: 'GyreFilterGradient',
    inputs: [x, g],
    attributes: { kernel: ints(kernel), strides: ints(strides), padding: ints(paddings) },
  }
}

/** Operations with a gradient for a weight as the result. */
function gradient(graph: Graph, node: GraphNode): Replacement | null {
  if (node.op === 'Conv2DBackpropFilter') return filterGradient(graph, node)
  if (node.op !== 'BiasAddGrad') return null
  return { op: 'GyreBiasGradient', inputs: node.inputs, attributes: {} }
}

const cheap: Readonly<Record<string, string>> = {
  ...{ Relu: 'GyreRelu', ReluGrad: 'GyreReluGradient', BiasAdd: 'GyreBiasAdd' },
  ...{ Add: 'GyreAdd', AddV2: 'GyreAdd' },
}

function cheapReplacement(graph: Graph, { op, inputs }: GraphNode): Replacement | null {
  const own = cheap[op]
  const [x, y] = inputs.map((ref) => typeOf(graph, ref).shape.join())
  if (own === undefined || (own === 'GyreAdd' && x !== y)) return null
  return { op: own, inputs, attributes: {} }
}

/** What may stand between a gradient and the cast of it to float32. */
const passing: ReadonlySet<string> = new Set(['Reshape', 'Identity'])

/**
 * The nodes that pass a gradient on until it is cast to float32, with those casts; null where something reads it in bfloat16,
 * or nothing does.
 */
function readers(graph: Graph, consumers: readonly number[][], index: number): GraphNode[] | null {
  const found: GraphNode[] = []
  for (const reader of consumers[index] ?? []) {
    const node = nodeAt(graph, reader)
    const casts = node.op === 'Cast' && node.outputs[0]?.dtype === dataTypes.float32
    const further = casts ? [] : passing.has(node.op) ? readers(graph, consumers, reader) : null
    if (!further) return null
    found.push(node, ...further)
  }
  return found.length === 0 ? null : found
}

/** Changes `graph` in place; indices of nodes stay what they were. Nodes in float32 are left alone. */
export function useOwnKernels(graph: Graph): void {
  const consumers = consumersOf(graph)
  graph.nodes.forEach((node, index) => {
    if (node.outputs[0]?.dtype !== dataTypes.bfloat16) return
    Object.assign(node, cheapReplacement(graph, node))
    const own = gradient(graph, node)
    const after = own && readers(graph, consumers, index)
    if (!after) return
    Object.assign(node, own)
    for (const reader of after) {
      if (reader.op === 'Cast') Object.assign(reader, { op: 'Identity', attributes: {} })
      reader.attributes = { ...reader.attributes, T: typeAttribute(dataTypes.float32) }
    }
    for (const one of [node, ...after])
      one.outputs = one.outputs.map((type) => ({ ...type, dtype: dataTypes.float32 }))
  })
}
