// Matrix products in the forms that TensorFlow computes fastest: of two matrices as `MatMul`, and with a row that is added
// to or taken from every row of the result as a bias, which is added while the product is still in the cache.
import { append, consumersOf, nodeAt, typeAttribute, typeOf, type Graph } from './graph'

const flag = (graph: Graph, index: number, name: string): boolean => {
  const attribute = nodeAt(graph, index).attributes[name]
  return attribute?.kind === 'bool' && attribute.value
}

/** Changes `graph` in place. */
export function simplifyProducts(graph: Graph): void {
  const consumers = consumersOf(graph)
  const recorded = graph.nodes.length
  for (let index = 0; index < recorded; index++) {
    const node = nodeAt(graph, index)
    const [a, b] = node.inputs
    if (!a || !b) continue
    const isMatrix = [a, b].every((ref) => typeOf(graph, ref).shape.length === 2)
    if ((node.op === 'BatchMatMulV2' || node.op === 'BatchMatMul') && isMatrix) {
      node.attributes = {
        T: typeAttribute(typeOf(graph, a).dtype),
        transpose_a: { kind: 'bool', value: flag(graph, index, 'adj_x') },
        transpose_b: { kind: 'bool', value: flag(graph, index, 'adj_y') },
      }
      node.op = 'MatMul'
    }
    // product − row
    const product = nodeAt(graph, a.node)
    const row = typeOf(graph, b)
    const only = consumers[a.node]?.length === 1
    if (node.op !== 'Sub' || product.op !== 'MatMul' || row.shape.length !== 1 || !only) continue
    if (row.shape[0] !== typeOf(graph, a).shape.at(-1)) continue
    const attributes = { T: typeAttribute(row.dtype) }
    const negative = append(graph, { op: 'Neg', inputs: [b], attributes, outputs: [row] })
    node.op = 'BiasAdd'
    node.inputs = [a, negative]
    node.attributes = { ...attributes, data_format: { kind: 'string', value: 'NHWC' } }
  }
}
