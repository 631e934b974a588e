// Compiles computations on a set of variables: each is recorded twice, at different steps, checked to be one and the same
// graph, improved, and handed to a session that holds the variables from then on.
import * as tf from '@tensorflow/tfjs-core'
import { fuseActivations } from './activations'
import { toBfloat16 } from './bfloat16'
import { fuse } from './fuse'
import type { Graph, Ref } from './graph'
import { useOwnKernels } from './own-kernels'
import { addUpdates, readVariables } from './program'
import { CannotCompile, record, type NativeBackend, type Recording } from './recorder'
import { requireSame } from './same-graph'
import { withShapes } from './shapes'
import { GraphSession, sessionConfig, type Callable, type NativeGraph, type Values } from './session'
import { useWinograd } from './winograd'

export interface CompileOptions {
  /** Convolutions in bfloat16. */
  bfloat16?: boolean
}

/** What becomes of variables where a computation is sound. They go by the names that the compiler knows them by. */
export interface Updates<Value> {
  /** The output, a scalar, that says whether anything is changed. */
  sound: string
  assigned: ReadonlyMap<string, Value>
  adam: readonly { weight: string; m: string; v: string; gradient: Value }[]
  /** Names of the feeds that hold Adam's scalars; without `keep`, weights do not decay. */
  scalars: { rate: string; epsilon: string; keep: string | null; betas: readonly [number, number] }
}

/** What a computation leads to. */
export interface Traced {
  outputs: ReadonlyMap<string, tf.Tensor>
  updates?: Updates<tf.Tensor>
}

/** One run of a computation, ready to be recorded: its feeds, and what it does with them. */
export interface Trace {
  feeds: ReadonlyMap<string, tf.Tensor>
  compute: () => Traced
}

interface Resolved {
  outputs: ReadonlyMap<string, Ref>
  updates: Updates<Ref> | null
}

function need<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name)
  if (value === undefined) throw new RangeError(`There is no “${name}” in the recording.`)
  return value
}

const resolved = <A, B>(values: ReadonlyMap<string, A>, resolve: (value: A) => B): Map<string, B> =>
  new Map([...values].map(([name, value]) => [name, resolve(value)]))

function resolveUpdates<A, B>(updates: Updates<A>, resolve: (value: A) => B): Updates<B> {
  return {
    ...updates,
    assigned: resolved(updates.assigned, resolve),
    adam: updates.adam.map((step) => ({ ...step, gradient: resolve(step.gradient) })),
  }
}

/** `own`: the operations of our native module that this processor can run. */
function forProcessor(graph: Graph, own: readonly string[]): void {
  fuseActivations(graph)
  if (own.includes('GyreConvolution')) useWinograd(graph)
  if (own.includes('GyreFilterGradient')) useOwnKernels(graph)
}

export class Compiler {
  readonly #backend: NativeBackend
  readonly #native: NativeGraph
  readonly #variables: ReadonlyMap<string, tf.Variable>
  /** Graphs run as they were recorded, and give the numbers of the eager computation bit for bit. */
  readonly exact: boolean
  readonly #session: GraphSession
  readonly #read: Callable

  /**
   * The session starts with the variables' present values. Unless `exact`, TensorFlow's own operations take the place of
   * tfjs's compositions.
   */
  constructor(native: NativeGraph, variables: ReadonlyMap<string, tf.Variable>, exact = false) {
    this.#backend = tf.backend() as unknown as NativeBackend
    this.#native = native
    this.#variables = variables
    this.exact = exact
    // Variables that started as copies share their values, which a recording could not tell apart.
    for (const variable of variables.values())
      tf.tidy(() => variable.assign(tf.tensor(variable.dataSync(), variable.shape)))
    this.#session = new GraphSession(native, sessionConfig(exact))
    const { write, read } = this.#session.variables(resolved(variables, ({ shape }) => shape))
    this.#read = read
    write(resolved(variables, (variable): Values => variable.dataSync<'float32'>()))
  }

  /**
   * Compiles what `trace` records at two different steps. Throws `CannotCompile` with the name of the operation that
   * does not fit into a graph. The computation must not assign variables itself.
   */
  compile(trace: (round: 1 | 2) => Trace, { bfloat16 = false }: CompileOptions = {}): Callable {
    const [first, second] = [this.#record(trace, 1), this.#record(trace, 2)]
    requireSame(first.graph, second.graph)
    const { graph, feeds, reads, result } = first
    if (!this.exact) fuse(graph)
    const own = this.exact || this.#native.device === null ? null : this.#native.operations()
    const exactBiasGradients = own?.includes('GyreBiasGradient') ?? false
    const exactly = bfloat16 ? toBfloat16(graph, { exactBiasGradients }) : (ref: Ref): Ref => ref
    const outputs = resolved(result.outputs, exactly)
    const updates = result.updates && resolveUpdates(result.updates, exactly)
    if (own) forProcessor(graph, own)
    const handles = readVariables(graph, reads)
    const targets = updates ? this.#update(first, outputs, updates, handles) : []
    try {
      return this.#session.add({ graph, feeds, fetches: outputs, targets })
    } catch (error) {
      throw new CannotCompile((error as Error).message, { cause: error })
    }
  }

  /** Gives the variables the values that the session has reached. */
  pull(): void {
    for (const [name, { values }] of this.#read(new Map())) {
      const variable = need(this.#variables, name)
      tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)))
    }
  }

  close(): void {
    this.#session.close()
  }

  #update(
    { graph, feeds, reads }: Recording<Resolved>,
    outputs: ReadonlyMap<string, Ref>,
    { sound, assigned, adam, scalars }: Updates<Ref>,
    handles: ReadonlyMap<string, Ref>,
  ): number[] {
    const { keep, betas } = scalars
    return addUpdates(graph, reads, handles, {
      sound: need(outputs, sound),
      assigned: [...assigned].map(([variable, value]) => ({ variable, value })),
      adam: adam.map((step) => ({
        ...step,
        rate: need(feeds, scalars.rate),
        epsilon: need(feeds, scalars.epsilon),
        keep: keep === null ? null : need(feeds, keep),
        betas,
      })),
    })
  }

  #record(trace: (round: 1 | 2) => Trace, round: 1 | 2): Recording<Resolved> {
    const recordings: Recording<Resolved>[] = []
    tf.tidy(() => {
      const { feeds, compute } = trace(round)
      const named = { feeds, variables: this.#variables }
      const recording = withShapes(this.#native, (describe) =>
        record(this.#backend, describe, named, compute, ({ outputs, updates }, resolve) => {
          const result = {
            outputs: resolved(outputs, resolve),
            updates: updates ? resolveUpdates(updates, resolve) : null,
          }
          // A computation may have kept them for its caller.
          tf.dispose([...outputs.values()])
          return result
        }),
      )
      recordings.push(recording)
    })
    const [recording] = recordings
    if (!recording) throw new Error('Nothing was recorded.')
    return recording
  }
}
