// A recorded computation as a list of TensorFlow nodes. Passes may append nodes and redirect inputs, so the order means
// nothing; `prune` drops what no root needs.

/** TensorFlow's numbers for types (types.proto), for those that occur in a step. */
export const dataTypes = { float32: 1, int32: 3, int64: 9, bool: 10, bfloat16: 14, resource: 20 } as const

/** One output of a node. */
export interface Ref {
  node: number
  output: number
}

export type Attribute =
  | { kind: 'type' | 'int' | 'float'; value: number }
  | { kind: 'bool'; value: boolean }
  | { kind: 'string'; value: string }
  | { kind: 'ints' | 'shape' | 'types'; value: readonly number[] }
  | { kind: 'strings'; value: readonly string[] }

export interface TensorType {
  dtype: number
  shape: readonly number[]
}

export interface GraphNode {
  /** TensorFlow's name of the operation; `Placeholder` for a feed, `Const` for a constant. */
  op: string
  inputs: Ref[]
  /** Nodes that must have run before. */
  after?: number[]
  attributes: Record<string, Attribute>
  outputs: TensorType[]
  /** The bytes of a `Const`, little-endian. */
  constant?: Uint8Array
}

export interface Graph {
  nodes: GraphNode[]
}

export const typeAttribute = (dtype: number): Attribute => ({ kind: 'type', value: dtype })

export function nodeAt({ nodes }: Graph, index: number): GraphNode {
  const node = nodes[index]
  if (!node) throw new RangeError(`The graph has no node ${index}.`)
  return node
}

/** Type and shape of what an input refers to. */
export function typeOf(graph: Graph, { node, output }: Ref): TensorType {
  const type = nodeAt(graph, node).outputs[output]
  if (!type) throw new RangeError(`Node ${node} has no output ${output}.`)
  return type
}

/** An attribute that is a list of whole numbers, or null. */
export function integersOf({ attributes }: GraphNode, name: string): readonly number[] | null {
  const attribute = attributes[name]
  return attribute?.kind === 'ints' ? attribute.value : null
}

/** Appends a node and returns its first output. */
export function append(graph: Graph, node: GraphNode): Ref {
  graph.nodes.push(node)
  return { node: graph.nodes.length - 1, output: 0 }
}

/** For every node, the nodes that read one of its outputs, each as often as it reads. */
export function consumersOf({ nodes }: Graph): number[][] {
  const consumers: number[][] = nodes.map(() => [])
  nodes.forEach(({ inputs }, index) => {
    for (const { node } of inputs) consumers[node]?.push(index)
  })
  return consumers
}

/** Indices of the nodes that `roots` need, inputs and orders alike. */
export function reachable(graph: Graph, roots: readonly number[]): Set<number> {
  const seen = new Set<number>()
  const waiting = [...roots]
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    if (seen.has(index)) continue
    seen.add(index)
    const { inputs, after = [] } = nodeAt(graph, index)
    waiting.push(...inputs.map(({ node }) => node), ...after)
  }
  return seen
}
