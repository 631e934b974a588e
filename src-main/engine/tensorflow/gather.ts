// Rows by index on TensorFlow without a look at the indices: tfjs-node reads them back to check them, which makes every
// lookup wait for the device and cannot be recorded. TensorFlow checks them itself (on a processor) while it gathers.
import {
  GatherV2,
  registerKernel,
  scalar,
  unregisterKernel,
  type GatherV2Attrs,
  type TensorInfo,
} from '@tensorflow/tfjs-core'
import type { OpBackend } from './op-backend'

/** Replaces the kernel of the backend called `backendName`, once it is registered. */
export function registerGather(backendName: string): void {
  unregisterKernel(GatherV2, backendName)
  registerKernel({
    kernelName: GatherV2,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, indices } = inputs as { x: TensorInfo; indices: TensorInfo }
      const { axis, batchDims } = attrs as unknown as GatherV2Attrs
      const native = backend as OpBackend
      const { binding } = native
      const type = (name: string, value: number): object => ({ name, type: binding.TF_ATTR_TYPE, value })
      const attributes = [
        { name: 'batch_dims', type: binding.TF_ATTR_INT, value: batchDims },
        type('Tparams', native.getDTypeInteger(x.dtype)),
        type('Tindices', native.getDTypeInteger(indices.dtype)),
        type('Taxis', binding.TF_INT32),
      ]
      const axisTensor = scalar(axis, 'int32')
      const result = native.executeSingleOutput('GatherV2', attributes, [x, indices, axisTensor])
      axisTensor.dispose()
      return result
    },
  })
}
