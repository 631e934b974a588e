// The engines: which are here, which one to use and why, how to get one, and loading it as tfjs's backend.
// Listing and choosing are cheap and load nothing native; only `loadEngine` and `testEngine` start a backend.
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { EngineCheck } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { engineNames } from '#shared/engine-names'
import { chooseEngine, engineStatus } from './choose'
import { registerGradients } from './gradients'
import { examine } from './self-test'
import { startTensorFlow, tensorFlowBackendName } from './tensorflow/backend'
import { holdEngine } from './tensorflow/in-use'
import { installTensorFlow } from './tensorflow/install'
import { readInstalled } from './tensorflow/installed'
import { removeTensorFlow } from './tensorflow/remove'
import { tensorFlowState } from './tensorflow/status'
import { findVariant, type TensorFlowId } from './tensorflow/variants'
import type { Engine, EngineId, EngineOptions, EngineStatus, InstallOptions, RemoveOptions } from './types'
import { prepareWasm, wasmBackendName, wasmDevice, wasmStatus } from './wasm/backend'
import { prepareWebGpu, webGpuBackendName, webGpuVersion } from './webgpu/backend'

export { chooseEngine, engineStatus, listEngines } from './choose'
export { examine } from './self-test'
export { Compiler, type CompileOptions, type Trace, type Traced } from './compile/compiler'
export { CannotCompile } from './compile/recorder'
export type { Callable, NativeGraph, Values } from './compile/session'
export { explainMemory, withMemoryWords } from './out-of-memory'
export { bfloat16Refusal } from './precision'
export { engineStorage, removeOlderEngine } from './tensorflow/older'
export type { Engine, EngineId, EngineOptions, EngineStatus, InstallOptions } from './types'

type Started = Pick<Engine, 'device' | 'version' | 'graphs' | 'close'>

async function activate(backend: string): Promise<void> {
  if (!(await tf.setBackend(backend)))
    throw new GyreError('engine-unavailable', `The engine “${backend}” did not start.`)
  await tf.ready()
}

async function startWasm(): Promise<Started> {
  prepareWasm()
  await activate(wasmBackendName)
  const { version } = wasmStatus()
  return { device: wasmDevice(), version, close: () => tf.removeBackend(wasmBackendName) }
}

async function startWebGpu(options: EngineOptions): Promise<Started> {
  const { device } = await prepareWebGpu(options.softwareGpu)
  await activate(webGpuBackendName)
  return { device, version: webGpuVersion(), close: () => tf.removeBackend(webGpuBackendName) }
}

async function startInstalled(id: TensorFlowId, options: EngineOptions): Promise<Started> {
  const variant = findVariant(id)
  if (typeof variant === 'string') throw new GyreError('engine-unavailable', variant)
  const { status, folder } = await tensorFlowState(id, options)
  if (folder === null) throw new GyreError('engine-unavailable', status.reason)
  const release = holdEngine(folder)
  try {
    // Looked at again: it may have been removed before the note was there to be seen.
    if ((await readInstalled(folder, variant)) === null)
      throw new GyreError('engine-unavailable', 'The engine is just being removed.')
    const started = startTensorFlow(join(folder, variant.libraryFolder), id === 'tensorflow-cuda')
    await activate(tensorFlowBackendName)
    const close = (): void => {
      tf.removeBackend(tensorFlowBackendName)
      release()
    }
    return { ...started, device: status.device, close }
  } catch (error) {
    release()
    throw error
  }
}

function start(id: EngineId, options: EngineOptions): Promise<Started> {
  if (id === 'wasm') return startWasm()
  return id === 'webgpu' ? startWebGpu(options) : startInstalled(id, options)
}

/** Starts an engine in this thread (main or worker) and makes it tfjs's backend. One engine a thread at a time. */
export async function loadEngine(
  wanted: EngineId | 'auto' = 'auto',
  options: EngineOptions = {},
): Promise<Engine> {
  const { id, reason } = await chooseEngine(wanted, options)
  registerGradients()
  return { ...(await start(id, options)), id, name: engineNames[id], reason, tf }
}

const partOfGyre = (id: EngineId): id is 'wasm' | 'webgpu' => id === 'wasm' || id === 'webgpu'

/** Installs an engine (see `tensorflow/install`) and returns its new state. WASM and WebGPU need no installation. */
export async function installEngine(id: EngineId, options: InstallOptions = {}): Promise<EngineStatus> {
  if (!partOfGyre(id)) {
    const variant = findVariant(id)
    if (typeof variant === 'string') throw new GyreError('unsupported', variant)
    const { installed, installable, reason } = await engineStatus(id, options)
    if (!installed && !installable) throw new GyreError('unsupported', reason, 'Choose another engine.')
    await installTensorFlow(variant, options)
  }
  return engineStatus(id, options)
}

/**
 * Deletes an installed engine and returns its new state. Throws `unsupported` for one that is a part of Gyre, and `busy`
 * while something computes on it.
 */
export async function removeEngine(id: EngineId, options: RemoveOptions = {}): Promise<EngineStatus> {
  if (partOfGyre(id))
    throw new GyreError('unsupported', 'This engine is a part of Gyre and can’t be removed.')
  const { folder } = await tensorFlowState(id, options)
  if (folder !== null) await removeTensorFlow(folder, options)
  return engineStatus(id, options)
}

export interface EngineTest {
  id: EngineId
  pass: boolean
  checks: EngineCheck[]
}

/**
 * Loads an engine in this thread, examines its numbers and closes it again. Call it where no run is training: it
 * changes tfjs's active backend.
 */
export async function testEngine(
  wanted: EngineId | 'auto',
  options: EngineOptions = {},
): Promise<EngineTest> {
  const engine = await loadEngine(wanted, options)
  try {
    const checks = examine(engine)
    return { id: engine.id, pass: checks.every(({ pass }) => pass), checks }
  } finally {
    engine.close()
  }
}
