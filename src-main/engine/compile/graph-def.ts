// A graph in the form that TensorFlow takes: a GraphDef (graph.proto, node_def.proto, attr_value.proto, tensor.proto,
// tensor_shape.proto). The numbers are the fields' numbers there.
import { nodeAt, reachable, type Attribute, type Graph, type GraphNode, type Ref } from './graph'
import { Message } from './protobuf'

/** The GraphDef version under which every operation used here means what it means today (TensorFlow 2.21). */
const producerVersion = 1395

function shapeProto(shape: readonly number[]): Message {
  const message = new Message()
  for (const size of shape) message.message(2, new Message().integer(1, size))
  return message
}

function listOf<T>(items: readonly T[], add: (list: Message, item: T) => void): Message {
  const list = new Message()
  for (const item of items) add(list, item)
  return list
}

function attributeProto({ kind, value }: Attribute): Message {
  const message = new Message()
  switch (kind) {
    case 'type':
      return message.integer(6, value)
    case 'int':
      return message.integer(3, value)
    case 'float':
      return message.float(4, value)
    case 'bool':
      return message.integer(5, value ? 1 : 0)
    case 'string':
      return message.text(2, value)
    case 'shape':
      return message.message(7, shapeProto(value))
    case 'ints':
      return message.message(
        1,
        listOf(value, (list, item) => list.integer(3, item)),
      )
    case 'types':
      return message.message(
        1,
        listOf(value, (list, item) => list.integer(6, item)),
      )
    case 'strings':
      return message.message(
        1,
        listOf(value, (list, item) => list.text(2, item)),
      )
  }
}

function tensorProto(dtype: number, shape: readonly number[], bytes: Uint8Array): Message {
  return new Message().integer(1, dtype).message(2, shapeProto(shape)).bytes(4, bytes)
}

function attributesOf({ attributes, outputs: [first], constant }: GraphNode): [string, Message][] {
  const written = Object.entries(attributes).map(([key, value]): [string, Message] => [
    key,
    attributeProto(value),
  ])
  if (!constant || !first) return written
  const value = new Message().message(8, tensorProto(first.dtype, first.shape, constant))
  return [...written, ['dtype', attributeProto({ kind: 'type', value: first.dtype })], ['value', value]]
}

/** The name of a node in a GraphDef written with `prefix`, which keeps several of them in one session apart. */
export const nodeName = (prefix: string, index: number): string => `${prefix}/n${index}`

export interface Placement {
  prefix: string
  /** Where every node runs; null leaves it to TensorFlow. */
  device: string | null
}

function nodeDef(graph: Graph, index: number, { prefix, device }: Placement): Message {
  const node = nodeAt(graph, index)
  const refName = ({ node: of, output }: Ref): string =>
    output === 0 ? nodeName(prefix, of) : `${nodeName(prefix, of)}:${output}`
  const definition = new Message().text(1, nodeName(prefix, index)).text(2, node.op)
  for (const input of node.inputs) definition.text(3, refName(input))
  for (const before of node.after ?? []) definition.text(3, `^${nodeName(prefix, before)}`)
  if (device !== null) definition.text(4, device)
  for (const [key, value] of attributesOf(node))
    definition.message(5, new Message().text(1, key).message(2, value))
  return definition
}

/** The bytes of a GraphDef with these nodes, whether or not those that they read are among them. */
export function nodesDef(graph: Graph, indices: readonly number[], placement: Placement): Uint8Array {
  const message = new Message()
  for (const index of indices) message.message(1, nodeDef(graph, index, placement))
  return message.message(4, new Message().integer(1, producerVersion)).finish()
}

/** The bytes of a GraphDef with the nodes that `roots` need. */
export function graphDef(graph: Graph, roots: readonly number[], placement: Placement): Uint8Array {
  return nodesDef(
    graph,
    [...reachable(graph, roots)].sort((a, b) => a - b),
    placement,
  )
}
