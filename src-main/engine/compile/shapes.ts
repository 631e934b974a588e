// Asks TensorFlow what an operation makes, type and shape, without running it: its own rules, on a graph of no session's.
import type { Graph, TensorType } from './graph'
import { nodeName, nodesDef } from './graph-def'
import { CannotCompile, type Describe } from './recorder'
import type { GraphModule } from './session'

const placement = { prefix: 'r', device: null }

/** Calls `use` with what describes the nodes of one graph, in their order. `CannotCompile` where TensorFlow takes a node not. */
export function withShapes<Result>(native: GraphModule, use: (describe: Describe) => Result): Result {
  const session = native.open(new Uint8Array())
  const describe = (graph: Graph): TensorType[] => {
    const index = graph.nodes.length - 1
    const { op, inputs = [] } = graph.nodes[index] ?? {}
    const read = new Map(inputs.map(({ node, output }) => [`${node}:${output}`, { node, output }]))
    const mapped = [...read.values()].map(({ node, output }): [string, number] => [
      nodeName(placement.prefix, node),
      output,
    ])
    const definition = nodesDef(graph, [index], placement)
    try {
      const types = native.describe(session, definition, nodeName(placement.prefix, index), mapped)
      return types.map(([dtype, shape]) => ({ dtype, shape }))
    } catch (error) {
      throw new CannotCompile(`TensorFlow has no ${op} like this one: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
  try {
    return use(describe)
  } finally {
    native.close(session)
  }
}
