// Recordings on a small stand-in for the binding: what differs from step to step must be found, and named.
import type * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import {
  CannotCompile,
  record,
  type Describe,
  type NativeBackend,
  type Recording,
} from '#main/engine/compile/recorder'
import { requireSame } from '#main/engine/compile/same-graph'

const attributeTypes = {
  TF_ATTR_STRING: 0,
  TF_ATTR_INT: 1,
  TF_ATTR_FLOAT: 2,
  TF_ATTR_BOOL: 3,
  TF_ATTR_TYPE: 4,
  TF_ATTR_SHAPE: 5,
}

/** Every result is two float32 numbers, but `Where` makes as many as it finds. */
const describeNode: Describe = ({ nodes }) => [{ dtype: 1, shape: [nodes.at(-1)?.op === 'Where' ? -1 : 2] }]

/** Gives out numbers, computes nothing. */
function standIn(): NativeBackend {
  let next = 0
  const ids = new WeakMap<object, number>()
  return {
    binding: {
      ...attributeTypes,
      executeOp: () => {
        throw new Error('Nothing may be computed.')
      },
      createTensor: () => next++,
      tensorDataSync: () => new Float32Array(2),
    },
    getInputTensorIds: (tensors) =>
      tensors.map((tensor) => {
        const known = ids.get(tensor.dataId)
        const id = known ?? next++
        ids.set(tensor.dataId, id)
        return id
      }),
  }
}

type Step = (backend: NativeBackend, x: number) => number

function recordStep(step: Step): Recording<void> {
  const backend = standIn()
  const x = { dataId: {}, dtype: 'float32', shape: [2] } as unknown as tf.Tensor
  const named = { feeds: new Map([['x', x]]), variables: new Map<string, tf.Tensor>() }
  const compute = (): number => step(backend, backend.getInputTensorIds([x])[0] ?? -1)
  return record(backend, describeNode, named, compute, () => undefined)
}

const multiplyBy =
  (factor: number): Step =>
  ({ binding }, x) => {
    const constant = binding.createTensor([], 1, Float32Array.of(factor))
    return binding.executeOp('Mul', [], [x, constant], 1)[0]?.id ?? 0
  }

describe('two recordings', () => {
  it('of the same step are the same', () => {
    expect(() => requireSame(recordStep(multiplyBy(3)).graph, recordStep(multiplyBy(3)).graph)).not.toThrow()
  })

  it('with a frozen number are refused by the operation that reads it', () => {
    const [first, second] = [recordStep(multiplyBy(3)), recordStep(multiplyBy(4))]
    expect(() => requireSame(first.graph, second.graph)).toThrow(/^Mul uses a number that changes/)
  })

  it('with another operation, attribute or number of operations are refused', () => {
    const op =
      (name: string, value = 1): Step =>
      ({ binding }, x) =>
        binding.executeOp(name, [{ name: 'axis', type: 1, value }], [x], 1)[0]?.id ?? 0
    const refuse = (a: Step, b: Step): void =>
      expect(() => requireSame(recordStep(a).graph, recordStep(b).graph)).toThrow(CannotCompile)
    refuse(op('Sin'), op('Cos'))
    refuse(op('Sum', 0), op('Sum', 1))
    refuse(op('Sin'), (backend, x) => op('Sin')(backend, op('Sin')(backend, x)))
  })
})

describe('a recording refuses', () => {
  it('a tensor from outside, by the operation', () => {
    expect(() => recordStep(({ binding }) => binding.executeOp('Exp', [], [12_345], 1)[0]?.id ?? 0)).toThrow(
      'Exp reads a tensor from outside the step.',
    )
  })

  it('a tensor whose size depends on its values, by the operation', () => {
    expect(() => recordStep(({ binding }, x) => binding.executeOp('Where', [], [x], 1)[0]?.id ?? 0)).toThrow(
      'Where makes a tensor whose size depends on its values.',
    )
  })

  it('numbers that are read back', () => {
    const reading: Step = ({ binding }, x) => {
      binding.tensorDataSync(x)
      return x
    }
    expect(() => recordStep(reading)).toThrow('reads numbers back')
  })

  it('inputs that share their values', () => {
    const backend = standIn()
    const dataId = {}
    const tensor = { dataId, dtype: 'float32', shape: [2] } as unknown as tf.Tensor
    const named = { feeds: new Map([['x', tensor]]), variables: new Map([['w', tensor]]) }
    expect(() =>
      record(
        backend,
        describeNode,
        named,
        () => 0,
        () => 0,
      ),
    ).toThrow('share their values')
  })

  it('and leaves the binding as it was', () => {
    const backend = standIn()
    const { binding } = backend
    const named = { feeds: new Map<string, tf.Tensor>(), variables: new Map<string, tf.Tensor>() }
    const fail = (): never => {
      throw new Error('no')
    }
    expect(() => record(backend, describeNode, named, fail, () => 0)).toThrow('no')
    expect(backend.binding).toBe(binding)
  })
})
