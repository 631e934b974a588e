// Replaces what tfjs composes of several operations by the one that TensorFlow has for it. Each rule names a pattern
// that our own model code makes (`src-main/model`), and changes a sum's order at most.
import { simplifyProducts } from './products'
import { consumersOf, dataTypes, nodeAt, typeAttribute, typeOf, type Graph, type Ref } from './graph'

const channelsLast = { kind: 'string', value: 'NHWC' } as const
const isFloat = (dtype: number): boolean => dtype === dataTypes.float32 || dtype === dataTypes.bfloat16

const same = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join()

/** x [..., C] + bias [C] */
function fuseBiasAdd(graph: Graph): void {
  for (const node of graph.nodes) {
    const [a, b] = node.inputs
    if ((node.op !== 'Add' && node.op !== 'AddV2') || !a || !b) continue
    const [x, bias] = [typeOf(graph, a), typeOf(graph, b)]
    if (!isFloat(x.dtype) || bias.shape.length !== 1 || x.shape.length < 2) continue
    if (x.shape.at(-1) !== bias.shape[0]) continue
    node.op = 'BiasAdd'
    node.attributes = { T: typeAttribute(x.dtype), data_format: channelsLast }
  }
}

/** The numbers of a `Const` of type int32, or null. */
function integers(graph: Graph, ref: Ref | undefined): readonly number[] | null {
  const node = ref && nodeAt(graph, ref.node)
  if (!node?.constant || node.outputs[0]?.dtype !== dataTypes.int32) return null
  const { buffer, byteOffset, byteLength } = node.constant
  return [...new Int32Array(buffer.slice(byteOffset, byteOffset + byteLength))]
}

/** The sum of x [..., C] over all dimensions but the last: the gradient of a bias. */
function fuseBiasGradient(graph: Graph): void {
  for (const node of graph.nodes) {
    const [x, axes] = node.inputs
    if (node.op !== 'Sum' || !x) continue
    const { dtype, shape } = typeOf(graph, x)
    const leading = shape.slice(0, -1).map((_, axis) => axis)
    const kept = node.attributes.keep_dims
    const keeps = kept?.kind === 'bool' && kept.value
    if (!isFloat(dtype) || keeps || leading.length === 0) continue
    if (!same(integers(graph, axes) ?? [-1], leading)) continue
    node.op = 'BiasAddGrad'
    node.inputs = [x]
    node.attributes = { T: typeAttribute(dtype), data_format: channelsLast }
  }
}

/** g·sign(max(x, 0)), as `relu` states its gradient. */
function fuseReluGradient(graph: Graph): void {
  for (const node of graph.nodes) {
    if (node.op !== 'Mul') continue
    const at = node.inputs.findIndex(({ node: input }) => nodeAt(graph, input).op === 'Sign')
    const [sign, gradient] = [node.inputs[at], node.inputs[1 - at]]
    const activated = sign && nodeAt(graph, sign.node).inputs[0]
    if (!gradient || !activated || nodeAt(graph, activated.node).op !== 'Relu') continue
    const [{ dtype, shape }, other] = [typeOf(graph, activated), typeOf(graph, gradient)]
    if (!same(shape, other.shape)) continue
    node.op = 'ReluGrad'
    node.inputs = [gradient, activated]
    node.attributes = { T: typeAttribute(dtype) }
  }
}

/** The sum of the squares of a whole tensor becomes 2·L2Loss: one pass, and nothing in between is stored. */
function fuseSquaredLength(graph: Graph): void {
  const consumers = consumersOf(graph)
  graph.nodes.forEach((node) => {
    const [squares, axes] = node.inputs
    if (node.op !== 'Sum' || !squares) return
    const square = nodeAt(graph, squares.node)
    const [x] = square.inputs
    const whole = typeOf(graph, squares).shape.map((_, axis) => axis)
    if (square.op !== 'Square' || !x || consumers[squares.node]?.length !== 1) return
    if (whole.length < 2 || !same(integers(graph, axes) ?? [-1], whole)) return
    if (node.outputs[0]?.shape.length !== 0) return
    const half = graph.nodes.push({
      op: 'L2Loss',
      inputs: [x],
      attributes: { T: typeAttribute(dataTypes.float32) },
      outputs: [{ dtype: dataTypes.float32, shape: [] }],
    })
    node.op = 'AddV2'
    node.inputs = [
      { node: half - 1, output: 0 },
      { node: half - 1, output: 0 },
    ]
    node.attributes = { T: typeAttribute(dataTypes.float32) }
  })
}

/** The last dimension as the only one of a reduction that keeps it. */
function overRows(graph: Graph, index: number): boolean {
  const { inputs, attributes } = nodeAt(graph, index)
  const [x, axes] = inputs
  const kept = attributes.keep_dims
  if (!x || kept?.kind !== 'bool' || !kept.value) return false
  return same(integers(graph, axes) ?? [], [typeOf(graph, x).shape.length - 1])
}

/** exp(x − max)/Σ over the last dimension. */
function fuseSoftmax(graph: Graph): void {
  for (const node of graph.nodes) {
    const [above, below] = node.inputs
    if (node.op !== 'RealDiv' || !above || !below) continue
    const [exp, sum] = [nodeAt(graph, above.node), nodeAt(graph, below.node)]
    const difference = exp.inputs[0] && nodeAt(graph, exp.inputs[0].node)
    const [x, max] = difference?.inputs ?? []
    if (exp.op !== 'Exp' || sum.op !== 'Sum' || difference?.op !== 'Sub' || !x || !max) continue
    const isMax = nodeAt(graph, max.node).op === 'Max' && overRows(graph, max.node)
    if (!isMax || sum.inputs[0]?.node !== above.node || !overRows(graph, below.node)) continue
    node.op = 'Softmax'
    node.inputs = [x]
    node.attributes = { T: typeAttribute(typeOf(graph, x).dtype) }
  }
}

/** Changes `graph` in place; indices of nodes stay what they were. */
export function fuse(graph: Graph): void {
  fuseBiasAdd(graph)
  fuseBiasGradient(graph)
  fuseReluGradient(graph)
  fuseSquaredLength(graph)
  fuseSoftmax(graph)
  simplifyProducts(graph)
}
