// TensorFlow as a tfjs backend, built from the npm package's parts with a binding loaded from the engine folder:
// the package's own entry looks for the binding inside node_modules only.
import * as tf from '@tensorflow/tfjs-core'
import { createRequire } from 'node:module'
import { constants, platform } from 'node:os'
import { join } from 'node:path'
import util from 'node:util'
import { GyreError } from '#shared/contract/errors'
import type { GraphModule, NativeGraph } from '../compile/session'
import { bindingFileName, graphFileName, quietFileName } from './binding-source'
import { registerGather } from './gather'
import { registerGroupNorm } from './group-norm'
import { registerRotateBack } from './rotate-back'

// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

export const tensorFlowBackendName = 'tensorflow'

const processorDevice = '/job:localhost/replica:0/task:0/device:CPU:0'

interface TensorFlowBinding {
  readonly TF_Version: string
  isUsingGpuDevice(): boolean
}

interface BackendModule {
  NodeJSKernelBackend: new (binding: unknown, packageName: string) => tf.KernelBackend
}

/** tfjs-node calls two helpers that newer Nodes (and Electron's) no longer have. */
function restoreNodeHelpers(): void {
  const target = util as unknown as Record<string, unknown>
  target.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined
  target.isArray ??= Array.isArray
}

/** `RTLD_NODELETE`, which Node has no name for. Windows has no such flag, and ignores it. */
const keepLoaded = { linux: 0x1000, darwin: 0x80 } as const

/**
 * Loads a native addon for good. A thread that ends takes its addons out of the process, but TensorFlow leaves functions
 * behind that run when the process exits: they must still be there.
 */
function loadForGood(path: string): unknown {
  const loaded: { exports: unknown } = { exports: {} }
  const name = platform()
  const keep = name === 'linux' || name === 'darwin' ? keepLoaded[name] : 0
  process.dlopen(loaded, path, constants.dlopen.RTLD_LAZY | keep)
  return loaded.exports
}

/**
 * Loads the binding from `folder` and makes TensorFlow known to tfjs in this thread. Throws `engine-unavailable` where a
 * graphics card is wanted and TensorFlow finds none.
 */
export function startTensorFlow(folder: string, onGpu: boolean): { graphs: NativeGraph; version: string } {
  restoreNodeHelpers()
  nodeRequire(join(folder, quietFileName))
  const binding = loadForGood(join(folder, bindingFileName)) as TensorFlowBinding
  if (onGpu && !binding.isUsingGpuDevice())
    throw new GyreError(
      'engine-unavailable',
      'TensorFlow found no graphics card that it can use, though NVIDIA’s driver shows one.',
      'Run it with TF_CPP_MIN_LOG_LEVEL=0 to hear why, or choose another engine.',
    )
  // Required, not imported: these files are CommonJS and must share their tfjs-core with the import above.
  nodeRequire('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js')
  registerGather(tensorFlowBackendName)
  const { NodeJSKernelBackend } = nodeRequire(
    '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js',
  ) as BackendModule
  const known: unknown = tf.findBackendFactory(tensorFlowBackendName)
  if (known === null)
    tf.registerBackend(
      tensorFlowBackendName,
      () => new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node-gpu'),
      3,
    )
  const module = loadForGood(join(folder, graphFileName)) as GraphModule
  if (!onGpu) {
    registerRotateBack(tensorFlowBackendName)
    if (module.operations().includes('GyreGroupNorm')) registerGroupNorm(tensorFlowBackendName)
  }
  const graphs = { ...module, device: binding.isUsingGpuDevice() ? null : processorDevice }
  return { graphs, version: binding.TF_Version }
}
