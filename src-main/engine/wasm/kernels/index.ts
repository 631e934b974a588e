// The kernels that training needs and tfjs's WASM backend lacks, or has only slowly. Registered once a thread.
import * as tf from '@tensorflow/tfjs-core'
import { conv2DBackpropFilter } from './conv2d-backprop-filter'
import { conv2DBackpropInput } from './conv2d-backprop-input'
import { unsortedSegmentSum } from './unsorted-segment-sum'

const kernels = [conv2DBackpropFilter, conv2DBackpropInput, unsortedSegmentSum]

/** Registers the kernels, in place of the backend's own where it has one. Call after the backend's were registered. */
export function registerTrainingKernels(): void {
  for (const kernel of kernels) {
    if (tf.getKernel(kernel.kernelName, kernel.backendName) as unknown)
      tf.unregisterKernel(kernel.kernelName, kernel.backendName)
    tf.registerKernel(kernel)
  }
}
