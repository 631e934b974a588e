// Rows by index on TensorFlow without a look at the indices: tfjs-node reads them back to check them, which makes every
// lookup wait for the device and cannot be recorded. TensorFlow checks them itself (on a processor) while it gathers.
import { GatherV2, scalar, type GatherV2Attrs, type TensorInfo } from '@tensorflow/tfjs-core'
import { registerOwn } from './op-backend'

type Inputs = Record<'x' | 'indices', TensorInfo>

/** Replaces the kernel of the backend called `backendName`, once it is registered. */
export function registerGather(backendName: string): void {
  registerOwn<Inputs>(backendName, GatherV2, (backend, { x, indices }, attrs) => {
    const { axis, batchDims } = attrs as unknown as GatherV2Attrs
    const { binding } = backend
    const type = (name: string, value: number): object => ({ name, type: binding.TF_ATTR_TYPE, value })
    const attributes = [
      { name: 'batch_dims', type: binding.TF_ATTR_INT, value: batchDims },
      type('Tparams', backend.getDTypeInteger(x.dtype)),
      type('Tindices', backend.getDTypeInteger(indices.dtype)),
      type('Taxis', binding.TF_INT32),
    ]
    const axisTensor = scalar(axis, 'int32')
    const result = backend.executeSingleOutput('GatherV2', attributes, [x, indices, axisTensor])
    axisTensor.dispose()
    return result
  })
}
