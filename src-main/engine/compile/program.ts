// From a recording to a program that trains: variables that live in the session, values that are given to them only
// where the step is sound, and outputs that can be fetched.
import { append, dataTypes, nodeAt, typeAttribute, typeOf, type Graph, type Ref } from './graph'

/** A variable of the session takes the value of an output. */
export interface Assigned {
  variable: string
  value: Ref
}

/** Adam on a variable in place: m, v and the weight itself, after it has been multiplied by `keep`. */
export interface AdamUpdate {
  weight: string
  m: string
  v: string
  gradient: Ref
  /** Scalars. */
  rate: Ref
  epsilon: Ref
  keep: Ref | null
  betas: readonly [number, number]
}

export interface Program {
  graph: Graph
  feeds: ReadonlyMap<string, Ref>
  fetches: ReadonlyMap<string, Ref>
  /** Nodes that must run besides what is fetched. */
  targets: number[]
}

const resource = (): { dtype: number; shape: readonly number[] }[] => [
  { dtype: dataTypes.resource, shape: [] },
]

/** The handle of a variable that every program of a session shares by its name. */
export function variableHandle(graph: Graph, name: string, shape: readonly number[]): Ref {
  return append(graph, {
    op: 'VarHandleOp',
    inputs: [],
    attributes: {
      shared_name: { kind: 'string', value: name },
      dtype: typeAttribute(dataTypes.float32),
      shape: { kind: 'shape', value: shape },
    },
    outputs: resource(),
  })
}

/** Turns the recorded reads into reads of variables. Returns the handles by name. */
export function readVariables(graph: Graph, reads: ReadonlyMap<string, Ref>): Map<string, Ref> {
  const handles = new Map<string, Ref>()
  for (const [name, read] of reads) {
    const { shape } = typeOf(graph, read)
    const handle = variableHandle(graph, name, shape)
    const node = nodeAt(graph, read.node)
    node.op = 'ReadVariableOp'
    node.inputs = [handle]
    node.attributes = { dtype: typeAttribute(dataTypes.float32) }
    handles.set(name, handle)
  }
  return handles
}

function floatConstant(graph: Graph, value: number): Ref {
  return append(graph, {
    op: 'Const',
    inputs: [],
    attributes: {},
    outputs: [{ dtype: dataTypes.float32, shape: [] }],
    constant: new Uint8Array(Float32Array.of(value).buffer),
  })
}

export function assignNode(graph: Graph, handle: Ref, value: Ref, after: number[]): number {
  const attributes = { dtype: typeAttribute(dataTypes.float32) }
  return append(graph, { op: 'AssignVariableOp', inputs: [handle, value], after, attributes, outputs: [] })
    .node
}

/** A node that runs only where the scalar `condition` is true, after everything in `after`. */
function gate(graph: Graph, condition: Ref, after: number[]): number {
  const bool = { dtype: dataTypes.bool, shape: [] }
  const attributes = { T: typeAttribute(dataTypes.bool) }
  const branches = append(graph, {
    op: 'Switch',
    inputs: [condition, condition],
    after,
    attributes,
    outputs: [bool, bool],
  })
  return append(graph, {
    op: 'Identity',
    inputs: [{ node: branches.node, output: 1 }],
    attributes,
    outputs: [bool],
  }).node
}

/** One Adam operation, after the weight has decayed. Its powers of β are given as 0: `rate` holds the corrections. */
function adamNode(
  graph: Graph,
  update: AdamUpdate,
  handles: ReadonlyMap<string, Ref>,
  weight: Ref,
  open: number,
): number {
  const handleOf = (name: string): Ref => {
    const handle = handles.get(name)
    if (!handle) throw new RangeError(`The session has no variable “${name}”.`)
    return handle
  }
  const after = [open]
  if (update.keep) {
    const type = typeOf(graph, weight)
    const decayed = append(graph, {
      op: 'Mul',
      inputs: [weight, update.keep],
      attributes: { T: typeAttribute(type.dtype) },
      outputs: [type],
    })
    after.push(assignNode(graph, handleOf(update.weight), decayed, [open]))
  }
  const zero = floatConstant(graph, 0)
  const betas = update.betas.map((beta) => floatConstant(graph, beta))
  return append(graph, {
    op: 'ResourceApplyAdam',
    inputs: [
      ...[update.weight, update.m, update.v].map(handleOf),
      ...[zero, zero, update.rate, ...betas, update.epsilon, update.gradient],
    ],
    after,
    attributes: {
      T: typeAttribute(dataTypes.float32),
      use_locking: { kind: 'bool', value: false },
      use_nesterov: { kind: 'bool', value: false },
    },
    outputs: [],
  }).node
}

/**
 * Adds the updates to a graph whose variables are read by `reads`: all of them wait for every read, and none happens
 * where the scalar `sound` is false. Returns the nodes to run.
 */
export function addUpdates(
  graph: Graph,
  reads: ReadonlyMap<string, Ref>,
  handles: ReadonlyMap<string, Ref>,
  { assigned, adam, sound }: { assigned: readonly Assigned[]; adam: readonly AdamUpdate[]; sound: Ref },
): number[] {
  const open = gate(
    graph,
    sound,
    [...reads.values()].map(({ node }) => node),
  )
  const assignments = assigned.map(({ variable, value }) => {
    const handle = handles.get(variable)
    if (!handle) throw new RangeError(`The session has no variable “${variable}”.`)
    return assignNode(graph, handle, value, [open])
  })
  const trained = adam.map((update) => {
    const weight = reads.get(update.weight)
    if (!weight) throw new RangeError(`The step does not read “${update.weight}”.`)
    return adamNode(graph, update, handles, weight, open)
  })
  return [...assignments, ...trained]
}
