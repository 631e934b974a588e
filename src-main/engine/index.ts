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
import { findVariant } from './tensorflow/variants'
import type { Engine, EngineId, EngineOptions, EngineStatus, InstallOptions } from './types'
import { prepareWasm, wasmBackendName, wasmVersion } from './wasm/backend'

export type { EngineCheck } from './self-test'
export type { Engine, EngineId, EngineOptions, EngineStatus, InstallOptions } from './types'

const noGpu = 'This version of Gyre has no GPU engine.'

function processor(): string {
  const all = cpus()
  return `${all[0]?.model.trim() ?? 'CPU'} (${all.length} threads)`
}

function wasmStatus(): EngineStatus {
  const reason = 'It is part of Gyre and always there, but slower: one thread, no native code.'
  return { id: 'wasm', available: true, reason, device: 'CPU, one thread', version: wasmVersion() }
}

interface Installed {
  status: EngineStatus
  folder: string | null
}

async function tensorFlowStatus(options: EngineOptions): Promise<Installed> {
  const base = { id: 'tensorflow-cpu' as const, device: processor() }
  const variant = findVariant('tensorflow-cpu')
  if (typeof variant === 'string')
    return { status: { ...base, available: false, reason: variant, version: '' }, folder: null }
  const folder = await engineFolder(options.home ?? engineHome(), variant, options.prebuiltBinding)
  const manifest = await readInstalled(folder, variant)
  if (manifest === null) {
    const reason = 'TensorFlow is not installed; Settings or `gyre engine install tensorflow-cpu` set it up.'
    return { status: { ...base, available: false, reason, version: variant.version }, folder: null }
  }
  const hardware = variant.verifiedOnHardware ? '' : ' It has not been verified on this kind of hardware yet.'
  const reason = `TensorFlow is installed and uses all processor cores.${hardware}`
  return { status: { ...base, available: true, reason, version: manifest.version }, folder }
}

/** The state of every engine, best first. Reads a few small files; never loads TensorFlow. */
export async function listEngines(options: EngineOptions = {}): Promise<EngineStatus[]> {
  return [(await tensorFlowStatus(options)).status, wasmStatus()]
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
    const skipped = all.slice(0, all.indexOf(best)).map((status) => status.reason)
    const chosen = skipped.length > 0 ? `WASM runs. ${skipped.join(' ')}` : best.reason
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
  const { status, folder } = await tensorFlowStatus(options)
  if (folder === null) throw new GyreError('engine-unavailable', status.reason)
  const { binding, version } = startTensorFlow(folder)
  await activate(tensorFlowBackendName)
  const close = (): void => tf.removeBackend(tensorFlowBackendName)
  return { id, name: 'TensorFlow (CPU)', device: status.device, version, reason, tf, binding, close }
}

/** Installs an engine (see `tensorflow/install`) and returns its new state. WASM needs no installation. */
export async function installEngine(id: EngineId, options: InstallOptions = {}): Promise<EngineStatus> {
  if (id === 'wasm') return wasmStatus()
  const variant = findVariant(id)
  if (typeof variant === 'string') throw new GyreError('unsupported', variant)
  await installTensorFlow(variant, options)
  return (await tensorFlowStatus(options)).status
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
