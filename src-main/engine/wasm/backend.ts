// tfjs's WebAssembly backend in plain Node: always there, several times slower than TensorFlow. On several cores it is the
// threaded build (`threads.ts`), on one the plain one.
import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { EngineStatus } from '#shared/contract/engines'
import { registerTrainingKernels } from './kernels/index'
import { guardMemory } from './memory-guard'
import { threadedBackend, wasmThreads } from './threads'

// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

export const wasmBackendName = 'wasm'
const entry = '@tensorflow/tfjs-backend-wasm'

interface WasmModule {
  BackendWasm: Parameters<typeof threadedBackend>[0]
  setThreadsCount(count: number): void
  /** Of the backend that was started last. */
  getThreadsCount(): number
  setWasmPaths(folder: string): void
  version_wasm: string
}

const deviceOf = (threads: number): string => (threads > 1 ? `CPU, ${threads} threads` : 'CPU, one thread')

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
    reason: 'WebAssembly is a part of Gyre and always there, but slower than native code.',
    device: deviceOf(wasmThreads()),
    version,
  }
}

let factory: ReturnType<typeof tf.findBackendFactory> | undefined

function loadModule(): NonNullable<typeof factory> {
  const wasm = nodeRequire(entry) as WasmModule
  // In a packaged app the files lie outside the archive, where plain file calls see them.
  const folder = dirname(nodeRequire.resolve(entry)).replace(`app.asar${sep}`, `app.asar.unpacked${sep}`)
  wasm.setWasmPaths(folder + sep)
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
  registerTrainingKernels()
  const plain = tf.findBackendFactory(wasmBackendName)
  tf.removeBackend(wasmBackendName)
  const start = async (): Promise<tf.KernelBackend> =>
    wasmThreads() === 1
      ? plain()
      : threadedBackend(wasm.BackendWasm, (count) => wasm.setThreadsCount(count)).catch(plain)
  return async () => guardMemory(await start())
}

/** Makes the WASM backend known to tfjs, with its kernels; `tf.setBackend('wasm')` starts it. */
export function prepareWasm(): void {
  factory ??= loadModule()
  // Closing an engine removes its backend from tfjs, factory and all.
  if ((tf.findBackendFactory(wasmBackendName) as unknown) === null)
    tf.registerBackend(wasmBackendName, factory, 2)
}

/** What the backend really computes on, once it has started. */
export const wasmDevice = (): string => deviceOf((nodeRequire(entry) as WasmModule).getThreadsCount())
