// tfjs's WebAssembly backend in plain Node: single-threaded (its threaded build starts workers from blob URLs, which
// Node refuses), always there, several times slower than TensorFlow.
import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { EngineStatus } from '#shared/contract/engines'
import { registerTrainingKernels } from './kernels/index'

// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

export const wasmBackendName = 'wasm'

interface WasmModule {
  setWasmPaths(folder: string): void
  version_wasm: string
}

/** The state of this engine, without loading the backend. */
export function wasmStatus(): EngineStatus {
  const { version } = nodeRequire('@tensorflow/tfjs-backend-wasm/package.json') as { version: string }
  return {
    id: 'wasm',
    available: true,
    installed: true,
    installable: false,
    removable: false,
    downloadBytes: 0,
    diskBytes: 0,
    verifiedOnHardware: true,
    reason: 'WebAssembly is a part of Gyre and always there, but slower: one thread, no native code.',
    device: 'CPU, one thread',
    version,
  }
}

let factory: ReturnType<typeof tf.findBackendFactory> | undefined

function loadModule(folder?: string): void {
  const entry = '@tensorflow/tfjs-backend-wasm'
  const wasm = nodeRequire(entry) as WasmModule
  // In a packaged app the files lie outside the archive, where plain file calls see them.
  const found = dirname(nodeRequire.resolve(entry)).replace(`app.asar${sep}`, `app.asar.unpacked${sep}`)
  wasm.setWasmPaths((folder ?? found) + sep)
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
  registerTrainingKernels()
  factory = tf.findBackendFactory(wasmBackendName)
}

/** Makes the WASM backend known to tfjs, with its kernels; `tf.setBackend('wasm')` starts it. `folder` counts once. */
export function prepareWasm(folder?: string): void {
  if (factory === undefined) loadModule(folder)
  // Closing an engine removes its backend from tfjs, factory and all.
  else if ((tf.findBackendFactory(wasmBackendName) as unknown) === null)
    tf.registerBackend(wasmBackendName, factory, 2)
}
