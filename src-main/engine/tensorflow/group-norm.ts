// Group normalisation as operations of our native module, which run on the processor only. Eager and compiled steps both use
// them; on other engines `src-main/model/ops.ts` composes them.
import type { TensorInfo } from '@tensorflow/tfjs-core'
import { groupNormKernels, type GroupNormOptions } from '#shared/group-norm'
import { registerOwn, type OpBackend } from './op-backend'

type Inputs = Record<'x' | 'g' | 'scale' | 'shift' | 'statistics', TensorInfo>

function attributesOf({ binding }: OpBackend, { groups, epsilon, silu }: GroupNormOptions): object[] {
  const types = ['Tx', 'Ty'].map((name) => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }))
  return [
    ...types,
    { name: 'groups', type: binding.TF_ATTR_INT, value: groups },
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: epsilon },
    { name: 'silu', type: binding.TF_ATTR_BOOL, value: silu },
  ]
}

/** Gives the kernels to the backend called `backendName`. */
export function registerGroupNorm(backendName: string): void {
  registerOwn<Inputs>(backendName, groupNormKernels.forward, (backend, { x, scale, shift }, attrs) => {
    const attributes = attributesOf(backend, attrs as unknown as GroupNormOptions)
    return backend.executeMultipleOutputs('GyreGroupNorm', attributes, [x, scale, shift], 2)
  })
  registerOwn<Inputs>(
    backendName,
    groupNormKernels.back,
    (backend, { g, x, scale, shift, statistics }, attrs) => {
      const { binding } = backend
      const type = { name: 'Tg', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }
      const attributes = [...attributesOf(backend, attrs as unknown as GroupNormOptions), type]
      const inputs = [g, x, scale, shift, statistics]
      return backend.executeMultipleOutputs('GyreGroupNormBack', attributes, inputs, 3)
    },
  )
}
