// The rotation trick's way back as one operation of our native module, which runs on the processor only. Eager and compiled
// steps both use it; on other engines `src-shared/quantize/rotation.ts` composes it.
import {
  getKernel,
  registerKernel,
  unregisterKernel,
  type KernelConfig,
  type TensorInfo,
} from '@tensorflow/tfjs-core'
import { rotateBackKernel } from '#shared/quantize/rotation'
import type { OpBackend } from './op-backend'

/** Gives the kernel to the backend called `backendName`. */
export function registerRotateBack(backendName: string): void {
  const known = getKernel(rotateBackKernel, backendName) as KernelConfig | undefined
  if (known) unregisterKernel(rotateBackKernel, backendName)
  registerKernel({
    kernelName: rotateBackKernel,
    backendName,
    kernelFunc: ({ inputs, backend }) => {
      const { e, q, g, gamma } = inputs as Record<'e' | 'q' | 'g' | 'gamma', TensorInfo>
      return (backend as OpBackend).executeSingleOutput('GyreRotateBack', [], [e, q, g, gamma])
    },
  })
}
