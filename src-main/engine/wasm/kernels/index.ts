// The kernels that training needs and tfjs's WASM backend lacks, or has only slowly. Registered once a thread.
import * as tf from '@tensorflow/tfjs-core'
import { batchMatMul } from './batch-mat-mul'
import { conv2DBackpropFilter } from './conv2d-backprop-filter'
import { conv2DBackpropInput } from './conv2d-backprop-input'
import { slice } from './slice'
import { unsortedSegmentSum } from './unsorted-segment-sum'

/** Registers the kernels, in place of the backend's own where it has one. Call after the backend's were registered. */
export function registerTrainingKernels(): void {
  const own = (name: string): tf.KernelConfig => tf.getKernel(name, 'wasm')
  const kernels = [
    conv2DBackpropFilter,
    conv2DBackpropInput,
    unsortedSegmentSum,
    batchMatMul(own(tf.BatchMatMul)),
    slice(own(tf.Slice)),
  ]
  for (const kernel of kernels) {
    if (tf.getKernel(kernel.kernelName, kernel.backendName) as unknown)
      tf.unregisterKernel(kernel.kernelName, kernel.backendName)
    tf.registerKernel(kernel)
  }
}
