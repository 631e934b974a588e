// Mixed precision as a pass over a recorded step: convolutions, the matrix products of attention and what lies between
// them in bfloat16; search, losses, norms (which read and write it where they can) and the optimiser compute in float32.
// Weights stay float32, too: each step casts them where a convolution reads them, and casts its gradient back.
import {
  append,
  dataTypes,
  nodeAt,
  typeAttribute,
  typeOf,
  type Graph,
  type GraphNode,
  type Ref,
} from './graph'

const convolutions: ReadonlySet<string> = new Set(['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter'])
const products: ReadonlySet<string> = new Set(['BatchMatMul', 'BatchMatMulV2', 'MatMul'])

/** Cheap operations that are in bfloat16 where all that they read is; a bias may come as it is. */
const between: ReadonlySet<string> = new Set([
  ...['BiasAdd', 'Relu', 'ReluGrad', 'Add', 'AddV2', 'AddN', 'Reshape', 'Identity'],
  ...['ResizeNearestNeighbor', 'ResizeNearestNeighborGrad'],
])

/** Sums over all positions, which eight bits are too few for: only where ours stands for it, which sums in float32. */
const biasGradient = 'BiasAddGrad'

/** What a product of attention may read its operands through, besides convolutions. */
const passing: ReadonlySet<string> = new Set(['Reshape', 'BiasAdd', 'Identity'])

/**
 * Ours compute in float32 whatever they read and write: the attributes that say in what the first inputs are. The last of
 * these, the images, decides about the first result (`Ty`), which is of the same kind; all others are in float32.
 */
const either: Readonly<Record<string, readonly string[]>> = {
  GyreGroupNorm: ['Tx'],
  GyreGroupNormBack: ['Tg', 'Tx'],
}

const isFloat = (graph: Graph, ref: Ref): boolean => typeOf(graph, ref).dtype === dataTypes.float32

/**
 * Whether a value comes from a convolution or a softmax, through nothing but a bias, reshapes and products of such. A product
 * of weights is no such value: SimVQ's codes are one, and codes are searched in float32.
 */
function fromNetwork(graph: Graph, ref: Ref): boolean {
  const { op, inputs } = nodeAt(graph, ref.node)
  if (op === 'Conv2D' || op === 'Softmax') return true
  if (products.has(op)) return inputs.every((input) => fromNetwork(graph, input))
  const [first] = inputs
  return passing.has(op) && first !== undefined && fromNetwork(graph, first)
}

export interface LowOptions {
  /** What reads biases' gradients in bfloat16 sums them in float32. */
  exactBiasGradients?: boolean
}

function readsLow(
  graph: Graph,
  node: GraphNode,
  low: ReadonlySet<number>,
  { exactBiasGradients = false }: LowOptions,
): boolean {
  const isLow = ({ node: of, output }: Ref): boolean =>
    low.has(of) && (output === 0 || !(nodeAt(graph, of).op in either))
  const kinds = either[node.op]
  const images = kinds && node.inputs[kinds.length - 1]
  if (images) return isLow(images)
  if (!between.has(node.op) && !(exactBiasGradients && node.op === biasGradient)) return false
  const floats = node.inputs.filter((ref) => isFloat(graph, ref))
  const read = node.op === 'BiasAdd' ? floats.slice(0, 1) : floats
  return read.length > 0 && read.every(isLow)
}

/** Indices of the nodes that are computed in bfloat16. */
export function lowNodes(graph: Graph, options: LowOptions = {}): Set<number> {
  const low = new Set<number>()
  graph.nodes.forEach((node, index) => {
    const isProduct = products.has(node.op) && node.inputs.every((ref) => fromNetwork(graph, ref))
    if (convolutions.has(node.op) || isProduct) low.add(index)
    else if (readsLow(graph, node, low, options)) low.add(index)
  })
  return low
}

/** Says in what the inputs of such a node are, and its first result. */
function setKinds(graph: Graph, node: GraphNode, kinds: readonly string[], low: boolean): void {
  const Ty = low ? dataTypes.bfloat16 : dataTypes.float32
  const given = kinds.map((name, at) => {
    const ref = node.inputs[at]
    return [name, typeAttribute(ref ? typeOf(graph, ref).dtype : dataTypes.float32)] as const
  })
  node.attributes = { ...node.attributes, ...Object.fromEntries(given), Ty: typeAttribute(Ty) }
  node.outputs = node.outputs.map((type, output) => (output === 0 ? { ...type, dtype: Ty } : type))
}

/**
 * Rewrites `graph` in place, and returns what refers to the same value in float32 as a reference did before. What is to be
 * in bfloat16 must read what stands before it, as in a recording; what other passes have appended stays in float32.
 */
export function toBfloat16(graph: Graph, options: LowOptions = {}): (ref: Ref) => Ref {
  const low = lowNodes(graph, options)
  const casts = new Map<string, Ref>()
  const cast = (ref: Ref, to: number): Ref => {
    const key = `${ref.node}:${ref.output}:${to}`
    const { dtype, shape } = typeOf(graph, ref)
    const known = casts.get(key)
    if (known) return known
    const made = append(graph, {
      op: 'Cast',
      inputs: [ref],
      attributes: {
        SrcT: typeAttribute(dtype),
        DstT: typeAttribute(to),
        Truncate: { kind: 'bool', value: false },
      },
      outputs: [{ dtype: to, shape }],
    })
    casts.set(key, made)
    return made
  }
  const recorded = graph.nodes.length
  for (let index = 0; index < recorded; index++) {
    const node = nodeAt(graph, index)
    const kinds = either[node.op] ?? []
    const isMixed = kinds.length > 0
    const wanted = low.has(index) && !isMixed ? dataTypes.bfloat16 : dataTypes.float32
    node.inputs = node.inputs.map((ref, at) => {
      const { dtype } = typeOf(graph, ref)
      const converts = (dtype === dataTypes.float32 || dtype === dataTypes.bfloat16) && dtype !== wanted
      return converts && at >= kinds.length ? cast(ref, wanted) : ref
    })
    if (isMixed) setKinds(graph, node, kinds, low.has(index))
    if (!low.has(index) || isMixed) continue
    node.attributes = { ...node.attributes, T: typeAttribute(dataTypes.bfloat16) }
    node.outputs = node.outputs.map((type) => ({ ...type, dtype: dataTypes.bfloat16 }))
  }
  return (ref) => (typeOf(graph, ref).dtype === dataTypes.bfloat16 ? cast(ref, dataTypes.float32) : ref)
}
