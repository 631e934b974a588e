// Group normalisation as operations of our native module, which run on the processor only. Eager and compiled steps both use
// them; on other engines `src-main/model/ops.ts` composes them.
import {
  getKernel,
  registerKernel,
  unregisterKernel,
  type KernelConfig,
  type TensorInfo,
} from '@tensorflow/tfjs-core'
import { groupNormKernels, type GroupNormOptions } from '#shared/group-norm'
import type { OpBackend } from './op-backend'

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
  const register = (
    kernelName: string,
    run: (backend: OpBackend, inputs: Inputs, attributes: object[]) => TensorInfo[],
  ) => {
    const known = getKernel(kernelName, backendName) as KernelConfig | undefined
    if (known) unregisterKernel(kernelName, backendName)
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        const native = backend as OpBackend
        return run(native, inputs as Inputs, attributesOf(native, attrs as unknown as GroupNormOptions))
      },
    })
  }
  register(groupNormKernels.forward, (backend, { x, scale, shift }, attributes) =>
    backend.executeMultipleOutputs('GyreGroupNorm', attributes, [x, scale, shift], 2),
  )
  register(groupNormKernels.back, (backend, { g, x, scale, shift, statistics }, attributes) => {
    const { binding } = backend
    const type = { name: 'Tg', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }
    const inputs = [g, x, scale, shift, statistics]
    return backend.executeMultipleOutputs('GyreGroupNormBack', [...attributes, type], inputs, 3)
  })
}
