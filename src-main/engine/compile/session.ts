// A TensorFlow session in this thread: programs that share variables, run one after the other. The native module lies
// with the installed engine; see `resources/native/gyre_graph.cpp`.
import { append, dataTypes, nodeAt, typeAttribute, type Graph, type Ref } from './graph'
import { graphDef, nodeName } from './graph-def'
import { assignNode, variableHandle, type Program } from './program'
import { Message } from './protobuf'

/** The module that runs graphs, as an engine hands it out. */
export interface NativeGraph extends GraphModule {
  /** The device for every node, in full; null where TensorFlow chooses: it fuses only what it knows to be on a processor. */
  device: string | null
}

/** What the native module offers. */
export interface GraphModule {
  open(config: Uint8Array): unknown
  extend(session: unknown, graphDef: Uint8Array): void
  describe(
    session: unknown,
    graphDef: Uint8Array,
    name: string,
    inputs: [name: string, output: number][],
  ): [dtype: number, shape: number[]][]
  prepare(
    session: unknown,
    feeds: [name: string, dtype: number, shape: readonly number[]][],
    fetches: string[],
    targets: string[],
  ): number
  run(
    session: unknown,
    call: number,
    inputs: Values[],
  ): [dtype: number, shape: number[], bytes: ArrayBuffer][]
  close(session: unknown): void
  /** Names of the module's own operations that this processor can run. */
  operations(): string[]
}

export type Values = Float32Array | Int32Array | Uint8Array

export interface Fetched {
  values: Values
  shape: number[]
}

/** A program that is ready to run. Inputs go by the names of its feeds, results by those of its fetches. */
export interface Callable {
  (inputs: ReadonlyMap<string, Values>): Map<string, Fetched>
  /** The same program without one of its results, and without what is computed for that alone. */
  without(fetch: string): Callable
}

function valuesOf(dtype: number, bytes: ArrayBuffer): Values {
  if (dtype === dataTypes.float32) return new Float32Array(bytes)
  if (dtype === dataTypes.int32) return new Int32Array(bytes)
  return new Uint8Array(bytes)
}

/**
 * ConfigProto (config.proto). `exact` switches off TensorFlow's graph optimiser: every operation runs as it was recorded.
 */
export function sessionConfig(exact: boolean): Uint8Array {
  if (!exact) return new Uint8Array()
  const rewriter = new Message().integer(19, 1) // disable_meta_optimizer
  const optimizer = new Message().integer(3, -1) // opt_level: L0
  return new Message().message(10, new Message().message(10, rewriter).message(3, optimizer)).finish()
}

export class GraphSession {
  readonly #native: NativeGraph
  readonly #session: unknown
  #programs = 0
  #closed = false

  constructor(native: NativeGraph, config: Uint8Array) {
    this.#native = native
    this.#session = native.open(config)
  }

  /** Adds a program. Throws with TensorFlow's words where it does not take the graph. */
  add({ graph, feeds, fetches, targets }: Program): Callable {
    const prefix = `p${this.#programs++}`
    // Each fetch is an `Identity` of its own: TensorFlow hands back neither a feed nor the same output twice.
    const outputs = [...fetches].map(([name, ref]) => [name, identity(graph, ref)] as const)
    const roots = [...outputs.map(([, node]) => node), ...targets, ...[...feeds.values()].map((f) => f.node)]
    this.#native.extend(this.#session, graphDef(graph, roots, { prefix, device: this.#native.device }))
    const fed = [...feeds].map(([name, { node }]) => ({ name, node, type: nodeAt(graph, node).outputs[0] }))
    const prepare = (fetched: typeof outputs): Callable => {
      const call = this.#native.prepare(
        this.#session,
        fed.map(({ node, type }) => [nodeName(prefix, node), type?.dtype ?? 0, type?.shape ?? []]),
        fetched.map(([, node]) => nodeName(prefix, node)),
        targets.map((node) => nodeName(prefix, node)),
      )
      const run = (inputs: ReadonlyMap<string, Values>): Map<string, Fetched> => {
        const values = fed.map(({ name }) => {
          const given = inputs.get(name)
          if (!given) throw new RangeError(`The program needs the input “${name}”.`)
          return given
        })
        const results = this.#native.run(this.#session, call, values)
        return new Map(
          results.map(([dtype, shape, bytes], i) => [
            fetched[i]?.[0] ?? '',
            { values: valuesOf(dtype, bytes), shape },
          ]),
        )
      }
      const without = (fetch: string): Callable => prepare(fetched.filter(([name]) => name !== fetch))
      return Object.assign(run, { without })
    }
    return prepare(outputs)
  }

  /** Programs that write all variables of these shapes from feeds, and that read them all. */
  variables(shapes: ReadonlyMap<string, readonly number[]>): { write: Callable; read: Callable } {
    const writing: Graph = { nodes: [] }
    const reading: Graph = { nodes: [] }
    const feeds = new Map<string, Ref>()
    const fetches = new Map<string, Ref>()
    const targets: number[] = []
    for (const [name, shape] of shapes) {
      const outputs = [{ dtype: dataTypes.float32, shape }]
      const dtype = typeAttribute(dataTypes.float32)
      const attributes = { dtype, shape: { kind: 'shape', value: shape } as const }
      const feed = append(writing, { op: 'Placeholder', inputs: [], attributes, outputs })
      feeds.set(name, feed)
      targets.push(assignNode(writing, variableHandle(writing, name, shape), feed, []))
      const inputs = [variableHandle(reading, name, shape)]
      fetches.set(name, append(reading, { op: 'ReadVariableOp', inputs, attributes: { dtype }, outputs }))
    }
    return {
      write: this.add({ graph: writing, feeds, fetches: new Map(), targets }),
      read: this.add({ graph: reading, feeds: new Map(), fetches, targets: [] }),
    }
  }

  close(): void {
    if (!this.#closed) this.#native.close(this.#session)
    this.#closed = true
  }
}

function identity(graph: Graph, ref: Ref): number {
  const type = graph.nodes[ref.node]?.outputs[ref.output]
  if (!type) throw new RangeError('A fetch points at nothing.')
  return append(graph, {
    op: 'Identity',
    inputs: [ref],
    attributes: { T: typeAttribute(type.dtype) },
    outputs: [type],
  }).node
}
