// Two recordings of one computation, of different steps on different batches, must be the same graph: whatever differs
// was frozen into the recording and would be wrong at the next step.
import { consumersOf, nodeAt, type Graph, type GraphNode } from './graph'
import { CannotCompile } from './recorder'

const shapeOf = ({ op, inputs, attributes, outputs }: GraphNode): string =>
  JSON.stringify([op, inputs, attributes, outputs])

function sameBytes(a?: Uint8Array, b?: Uint8Array): boolean {
  return (
    (a === undefined && b === undefined) || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0)
  )
}

/** Throws `CannotCompile` with the name of the operation where two recordings part. */
export function requireSame(first: Graph, second: Graph): void {
  if (first.nodes.length !== second.nodes.length)
    throw new CannotCompile(
      `The step runs ${first.nodes.length} operations one time and ${second.nodes.length} another.`,
    )
  first.nodes.forEach((node, index) => {
    const other = nodeAt(second, index)
    if (shapeOf(node) !== shapeOf(other))
      throw new CannotCompile(`${node.op} is not the same operation at another step.`)
    if (sameBytes(node.constant, other.constant)) return
    const reader = consumersOf(first)[index]?.[0]
    const name = reader === undefined ? 'The result' : nodeAt(first, reader).op
    throw new CannotCompile(`${name} uses a number that changes from step to step but is no input of it.`)
  })
}
