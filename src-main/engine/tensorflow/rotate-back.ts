// The rotation trick's way back as one operation of our native module, which runs on the processor only. Eager and compiled
// steps both use it; on other engines `src-shared/quantize/rotation.ts` composes it.
import type { TensorInfo } from '@tensorflow/tfjs-core'
import { rotateBackKernel } from '#shared/quantize/rotation'
import { registerOwn } from './op-backend'

type Inputs = Record<'e' | 'q' | 'g' | 'gamma', TensorInfo>

/** Gives the kernel to the backend called `backendName`. */
export function registerRotateBack(backendName: string): void {
  registerOwn<Inputs>(backendName, rotateBackKernel, (backend, { e, q, g, gamma }) =>
    backend.executeSingleOutput('GyreRotateBack', [], [e, q, g, gamma]),
  )
}
