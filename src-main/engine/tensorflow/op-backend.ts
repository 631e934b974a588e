// tfjs-node's backend, as far as kernels of our own need it, and how such a kernel is given to it.
import {
  getKernel,
  registerKernel,
  unregisterKernel,
  type KernelConfig,
  type NamedAttrMap,
  type Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core'

export interface OpBackend {
  readonly binding: Readonly<
    Record<
      'TF_ATTR_INT' | 'TF_ATTR_FLOAT' | 'TF_ATTR_BOOL' | 'TF_ATTR_TYPE' | 'TF_INT32' | 'TF_FLOAT',
      number
    >
  >
  getDTypeInteger(dtype: string): number
  /** Runs the operation `op` and returns its only result. */
  executeSingleOutput(op: string, attributes: object[], inputs: TensorInfo[]): Tensor
  executeMultipleOutputs(op: string, attributes: object[], inputs: TensorInfo[], outputs: number): Tensor[]
}

type Run<Inputs> = (backend: OpBackend, inputs: Inputs, attributes: NamedAttrMap) => TensorInfo | TensorInfo[]

/** Gives a kernel of ours to the backend called `backendName`, in place of one of that name. */
export function registerOwn<Inputs>(backendName: string, kernelName: string, run: Run<Inputs>): void {
  const known = getKernel(kernelName, backendName) as KernelConfig | undefined
  if (known) unregisterKernel(kernelName, backendName)
  registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => run(backend as OpBackend, inputs as Inputs, attrs ?? {}),
  })
}
