// The kernels of tfjs's WebGPU backend that training needs otherwise than they are. Registered once a thread, in place of
// the backend's own.
import * as tf from '@tensorflow/tfjs-core'

interface SummingBackend {
  disposeData(dataId: object): boolean
  readonly device: { readonly limits: Readonly<Record<string, number>> }
}

/**
 * A sum of any number of tensors: a shader reads a limited number of buffers, and tfjs's own kernel hands it all of them,
 * which the card refuses (the norm of a gradient sums one tensor for each weight).
 */
function addN(own: tf.KernelConfig): tf.KernelConfig {
  return {
    ...own,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const summing = backend as unknown as SummingBackend
      const { limits } = summing.device
      const most = (limits.maxStorageBuffersPerShaderStage ?? 8) - 1
      const sum = (terms: tf.TensorInfo[]): tf.TensorInfo =>
        own.kernelFunc({
          inputs: terms as unknown as tf.NamedTensorInfoMap,
          attrs,
          backend,
        }) as tf.TensorInfo
      const terms = inputs as unknown as tf.TensorInfo[]
      let total = sum(terms.slice(0, most))
      for (let i = most; i < terms.length; i += most - 1) {
        const { dataId } = total
        total = sum([total, ...terms.slice(i, i + most - 1)])
        summing.disposeData(dataId)
      }
      return total
    },
  }
}

/** Registers them. Call after the backend's own were registered. */
export function registerWebGpuKernels(backendName: string): void {
  const kernel = addN(tf.getKernel(tf.AddN, backendName))
  tf.unregisterKernel(kernel.kernelName, backendName)
  tf.registerKernel(kernel)
}
