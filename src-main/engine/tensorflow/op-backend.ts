// tfjs-node's backend, as far as kernels of our own need it.
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core'

export interface OpBackend {
  readonly binding: { TF_ATTR_INT: number; TF_ATTR_TYPE: number; TF_INT32: number }
  getDTypeInteger(dtype: string): number
  /** Runs the operation `op` and returns its only result. */
  executeSingleOutput(op: string, attributes: object[], inputs: TensorInfo[]): Tensor
}
