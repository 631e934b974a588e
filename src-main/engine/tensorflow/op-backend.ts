// tfjs-node's backend, as far as kernels of our own need it.
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core'

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
