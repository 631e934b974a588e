// Records what one eager computation asks of TensorFlow, at the binding: every operation becomes a node, every tensor
// made on the way a constant, what was named beforehand a feed or a variable. Nothing is computed: an operation's results
// are tensors with a type and a shape but no values, so a recording needs neither the step's time nor its memory.
import * as tf from '@tensorflow/tfjs-core'
import {
  append,
  dataTypes,
  nodeAt,
  typeAttribute,
  typeOf,
  type Attribute,
  type Graph,
  type Ref,
  type TensorType,
} from './graph'

/** The binding of tfjs-node, as far as a recording hears it. */
interface Binding {
  executeOp(name: string, attributes: OpAttribute[], inputs: number[], outputs: number): TensorMetadata[]
  createTensor(shape: number[], dtype: number, values: ArrayBufferView | number[]): number
  tensorDataSync(id: number): unknown
  readonly TF_ATTR_STRING: number
  readonly TF_ATTR_INT: number
  readonly TF_ATTR_FLOAT: number
  readonly TF_ATTR_BOOL: number
  readonly TF_ATTR_TYPE: number
  readonly TF_ATTR_SHAPE: number
}

interface OpAttribute {
  name: string
  type: number
  value: unknown
}

interface TensorMetadata {
  id: number
  shape: number[]
  dtype: number
}

/** tfjs-node's backend: the binding, and the number that it has given to a tensor. */
export interface NativeBackend {
  binding: Binding
  getInputTensorIds(tensors: tf.Tensor[]): number[]
}

/** Why a computation cannot become a graph, with the operation's name. Training goes on eagerly then. */
export class CannotCompile extends Error {
  override readonly name = 'CannotCompile'
}

export interface Recording<Result> {
  graph: Graph
  /** Placeholders, by the names of the feeds. */
  feeds: ReadonlyMap<string, Ref>
  /** Values read at the start, by the names of the variables. */
  reads: ReadonlyMap<string, Ref>
  result: Result
}

/** Types and shapes of what the last node of a graph makes. Asked about every node in turn. */
export type Describe = (graph: Graph) => readonly TensorType[]

interface Named {
  feeds: ReadonlyMap<string, tf.Tensor>
  variables: ReadonlyMap<string, tf.Tensor>
}

function bytesOf(values: ArrayBufferView | number[], dtype: number): Uint8Array {
  if (ArrayBuffer.isView(values))
    return new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength))
  if (dtype === dataTypes.float32) return new Uint8Array(Float32Array.from(values).buffer)
  if (dtype === dataTypes.int32) return new Uint8Array(Int32Array.from(values).buffer)
  if (dtype === dataTypes.bool) return Uint8Array.from(values)
  throw new CannotCompile(`A constant of type ${dtype} cannot be recorded.`)
}

function attributeOf(binding: Binding, op: string, { name, type, value }: OpAttribute): Attribute {
  const isList = Array.isArray(value)
  if (type === binding.TF_ATTR_TYPE && typeof value === 'number') return typeAttribute(value)
  if (type === binding.TF_ATTR_STRING && typeof value === 'string') return { kind: 'string', value }
  if (type === binding.TF_ATTR_BOOL && !isList) return { kind: 'bool', value: Boolean(value) }
  if (type === binding.TF_ATTR_FLOAT && typeof value === 'number') return { kind: 'float', value }
  if (type === binding.TF_ATTR_INT && typeof value === 'number') return { kind: 'int', value }
  if (type === binding.TF_ATTR_INT && isList) return { kind: 'ints', value: value as number[] }
  if (type === binding.TF_ATTR_SHAPE && isList) return { kind: 'shape', value: value as number[] }
  throw new CannotCompile(`${op} has an attribute, ${name}, that cannot be recorded.`)
}

/** Operations whose element type tfjs-node leaves to TensorFlow to find out, which a graph does not. */
const untyped: ReadonlySet<string> = new Set(['ExpandDims'])

/** A `Const` node's, with a copy of the values. */
function constantNode(dtype: number, shape: readonly number[], values: ArrayBufferView | number[]) {
  return {
    op: 'Const',
    inputs: [],
    attributes: {},
    outputs: [{ dtype, shape: [...shape] }],
    constant: bytesOf(values, dtype),
  }
}

/** tfjs-node deletes no tensor with such a number, and TensorFlow gives none out. */
const withoutValues = -1

/**
 * Runs `compute` once and records it. `resolve` turns a tensor of its result into the output of a node; it works until
 * `record` returns, and so do the tensors. Tensors that `compute` reads but that are neither named nor made by it are
 * refused, and so is reading numbers back: a graph could not know them.
 */
export function record<Computed, Result>(
  backend: NativeBackend,
  describe: Describe,
  { feeds, variables }: Named,
  compute: () => Computed,
  collect: (computed: Computed, resolve: (tensor: tf.Tensor) => Ref) => Result,
): Recording<Result> {
  const graph: Graph = { nodes: [] }
  const known = new Map<number, Ref>()
  const idOf = (tensor: tf.Tensor): number => backend.getInputTensorIds([tensor])[0] ?? -1
  const place = (op: string, tensor: tf.Tensor): Ref => {
    const dtype = tensor.dtype === 'int32' ? dataTypes.int32 : dataTypes.float32
    const shape = [...tensor.shape]
    const ref = append(graph, {
      op,
      inputs: [],
      attributes: { dtype: typeAttribute(dtype), shape: { kind: 'shape', value: shape } },
      outputs: [{ dtype, shape }],
    })
    const id = idOf(tensor)
    if (known.has(id)) throw new RangeError('Two inputs of a recording share their values.')
    known.set(id, ref)
    describe(graph)
    return ref
  }
  const named = (op: string, tensors: ReadonlyMap<string, tf.Tensor>): Map<string, Ref> =>
    new Map([...tensors].map(([name, tensor]) => [name, place(op, tensor)]))
  const placeholders = named('Placeholder', feeds)
  const reads = named('Placeholder', variables)

  const { binding } = backend
  const refOf = (id: number, op: string): Ref => {
    const ref = known.get(id)
    if (!ref) throw new CannotCompile(`${op} reads a tensor from outside the step.`)
    return ref
  }
  let unused = withoutValues
  const listening: Partial<Binding> = {
    executeOp: (name, attributes, inputs, count) => {
      const refs = inputs.map((id) => refOf(id, name))
      const [first] = refs
      const { node } = append(graph, {
        op: name,
        inputs: refs,
        attributes: {
          ...(first && untyped.has(name) && { T: typeAttribute(typeOf(graph, first).dtype) }),
          ...Object.fromEntries(attributes.map((one) => [one.name, attributeOf(binding, name, one)])),
        },
        outputs: [],
      })
      const types = describe(graph).slice(0, count)
      if (types.some(({ shape }) => shape.some((size) => size < 0)))
        throw new CannotCompile(`${name} makes a tensor whose size depends on its values.`)
      nodeAt(graph, node).outputs.push(...types)
      return types.map(({ dtype, shape }, output) => {
        const id = unused--
        known.set(id, { node, output })
        return { id, dtype, shape: [...shape] }
      })
    },
    createTensor: (shape, dtype, values) => {
      const id = binding.createTensor(shape, dtype, values)
      known.set(id, append(graph, constantNode(dtype, shape, values)))
      describe(graph)
      return id
    },
    tensorDataSync: () => {
      throw new CannotCompile('The step reads numbers back while it runs.')
    },
  }
  // The binding's own members cannot be written to, but an object that inherits from it may hide them.
  backend.binding = Object.create(binding, Object.getOwnPropertyDescriptors(listening)) as Binding
  try {
    const results: Result[] = []
    // What has no values must be gone before TensorFlow is asked again.
    tf.tidy(() => {
      results.push(collect(compute(), (tensor) => refOf(idOf(tensor), 'The result')))
    })
    return { graph, feeds: placeholders, reads, result: results[0] as Result }
  } finally {
    backend.binding = binding
  }
}
