// The engines: which are here, which one to use and why, how to get one, and loading it as tfjs's backend.
// Listing and choosing are cheap and load nothing native; only `loadEngine` and `testEngine` start a backend.
import { cpus } from 'node:os'
import * as tf from '@tensorflow/tfjs-core'
import { engineIds } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { registerGradients } from './gradients'
import { engineHome } from './home'
import { examine, type EngineCheck } from './self-test'
import { startTensorFlow, tensorFlowBackendName } from './tensorflow/backend'
import { installTensorFlow } from './tensorflow/install'
import { engineFolder, readInstalled } from './tensorflow/installed'
import { removeTensorFlow } from './tensorflow/remove'
import { findVariant } from './tensorflow/variants'
import type { Engine, EngineId, EngineOptions, EngineStatus, InstallOptions } from './types'
import { prepareWasm, wasmBackendName, wasmVersion } from './wasm/backend'

export type { EngineCheck } from './self-test'
export { Compiler, type Trace, type Traced } from './compile/compiler'
export { CannotCompile } from './compile/recorder'
export type { Callable, NativeGraph, Values } from './compile/session'
export { bfloat16Refusal } from './precision'
export type { Engine, EngineId, EngineOptions, EngineStatus, InstallOptions } from './types'

const noGpu = 'This version of Gyre has no GPU engine.'

function processor(): string {
  const all = cpus()
  return `${all[0]?.model.trim() ?? 'CPU'} (${all.length} threads)`
}

/** The part of a status that all engines share which come with Gyre. */
const bundled = { installed: true, installable: false, removable: false, downloadBytes: 0, diskBytes: 0 }

function wasmStatus(): EngineStatus {
  const reason = 'It is part of Gyre and always there, but slower: one thread, no native code.'
  const base = { ...bundled, available: true, verifiedOnHardware: true }
  return { ...base, id: 'wasm', reason, device: 'CPU, one thread', version: wasmVersion() }
}

function webGpuStatus(): EngineStatus {
  const base = { ...bundled, available: false, verifiedOnHardware: false, device: '', version: '' }
  return { ...base, id: 'webgpu', installed: false, reason: noGpu }
}

type TensorFlowId = Exclude<EngineId, 'wasm' | 'webgpu'>

interface Installed {
  status: EngineStatus
  folder: string | null
}

async function tensorFlowStatus(id: TensorFlowId, options: EngineOptions): Promise<Installed> {
  const none = { installed: false, installable: false, removable: false, available: false }
  const base = { id, device: id === 'tensorflow-cpu' ? processor() : '' }
  const variant = findVariant(id)
  if (typeof variant === 'string') {
    const sizes = { downloadBytes: 0, diskBytes: 0, verifiedOnHardware: false }
    return { status: { ...base, ...none, ...sizes, reason: variant, version: '' }, folder: null }
  }
  const { verifiedOnHardware, version } = variant
  const sizes = {
    downloadBytes: variant.wheel.sizeBytes,
    diskBytes: variant.unpackedBytes,
    verifiedOnHardware,
  }
  const folder = await engineFolder(options.home ?? engineHome(), variant, options.prebuiltBinding)
  const manifest = await readInstalled(folder, variant)
  if (manifest === null) {
    const reason = `TensorFlow is not installed; Settings or \`gyre engine install ${id}\` set it up.`
    const status = { ...base, ...none, ...sizes, installable: true, reason, version }
    return { status, folder: null }
  }
  const hardware = verifiedOnHardware ? '' : ' It has not been verified on this kind of hardware yet.'
  const reason = `TensorFlow is installed and uses all processor cores.${hardware}`
  const there = { available: true, installed: true, installable: false, removable: true }
  const diskBytes = Object.values(manifest.files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return { status: { ...base, ...sizes, ...there, diskBytes, reason, version: manifest.version }, folder }
}

/** The state of every engine, best first. Reads a few small files; never loads TensorFlow. */
export async function listEngines(options: EngineOptions = {}): Promise<EngineStatus[]> {
  const [cuda, cpu] = await Promise.all([
    tensorFlowStatus('tensorflow-cuda', options),
    tensorFlowStatus('tensorflow-cpu', options),
  ])
  return [cuda.status, webGpuStatus(), cpu.status, wasmStatus()]
}

/**
 * Which engine a run will use, and why, as a sentence.
 * Throws `engine-unavailable` when one is wanted by name and is not there.
 */
export async function chooseEngine(
  wanted: EngineId | 'auto',
  options: EngineOptions = {},
): Promise<{ id: EngineId; reason: string }> {
  const all = await listEngines(options)
  if (wanted === 'auto') {
    const best = all.find((status) => status.available)
    if (!best) throw new GyreError('engine-unavailable', 'No engine can run on this machine.')
    const cpu = all.find(({ id }) => id === 'tensorflow-cpu')
    const chosen = best.id === 'wasm' ? `WASM runs. ${cpu?.reason ?? ''}` : best.reason
    return { id: best.id, reason: `${chosen} ${noGpu}` }
  }
  const status = all.find(({ id }) => id === wanted)
  if (!status)
    throw new GyreError(
      'invalid-input',
      `There is no engine “${wanted as string}”.`,
      `Use one of: ${engineIds.join(', ')}, auto.`,
    )
  if (!status.available)
    throw new GyreError(
      'engine-unavailable',
      status.reason,
      'Or choose the engine `wasm`, which is always there.',
    )
  return { id: wanted, reason: 'You chose it.' }
}

async function activate(backend: string): Promise<void> {
  if (!(await tf.setBackend(backend)))
    throw new GyreError('engine-unavailable', `The engine “${backend}” did not start.`)
  await tf.ready()
}

/** Starts an engine in this thread (main or worker) and makes it tfjs's backend. One engine a thread at a time. */
export async function loadEngine(
  wanted: EngineId | 'auto' = 'auto',
  options: EngineOptions = {},
): Promise<Engine> {
  const { id, reason } = await chooseEngine(wanted, options)
  registerGradients()
  if (id === 'wasm') {
    prepareWasm(options.wasmFolder)
    await activate(wasmBackendName)
    const { device, version } = wasmStatus()
    return {
      id,
      name: 'WebAssembly (CPU)',
      device,
      version,
      reason,
      tf,
      close: () => tf.removeBackend(wasmBackendName),
    }
  }
  if (id === 'webgpu') throw new GyreError('engine-unavailable', webGpuStatus().reason)
  const { status, folder } = await tensorFlowStatus(id, options)
  if (folder === null) throw new GyreError('engine-unavailable', status.reason)
  const { graphs, version } = startTensorFlow(folder)
  await activate(tensorFlowBackendName)
  const close = (): void => tf.removeBackend(tensorFlowBackendName)
  return { id, name: 'TensorFlow (CPU)', device: status.device, version, reason, tf, graphs, close }
}

/** Installs an engine (see `tensorflow/install`) and returns its new state. WASM needs no installation. */
export async function installEngine(id: EngineId, options: InstallOptions = {}): Promise<EngineStatus> {
  if (id === 'wasm') return wasmStatus()
  if (id === 'webgpu') throw new GyreError('unsupported', webGpuStatus().reason)
  const variant = findVariant(id)
  if (typeof variant === 'string') throw new GyreError('unsupported', variant)
  await installTensorFlow(variant, options)
  return (await tensorFlowStatus(id, options)).status
}

/** Deletes an installed engine and returns its new state. Throws `unsupported` for one that is a part of Gyre. */
export async function removeEngine(id: EngineId, options: EngineOptions = {}): Promise<EngineStatus> {
  if (id === 'wasm' || id === 'webgpu')
    throw new GyreError('unsupported', 'This engine is a part of Gyre and can’t be removed.')
  const { folder } = await tensorFlowStatus(id, options)
  if (folder !== null) await removeTensorFlow(folder)
  return (await tensorFlowStatus(id, options)).status
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
    const checks = examine(engine.tf)
    return { id: engine.id, pass: checks.every(({ pass }) => pass), checks }
  } finally {
    engine.close()
  }
}
