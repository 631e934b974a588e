// Made-up states of the four engines, for looking at the window: a machine without a graphics card, where TensorFlow
// for the processor is installed or not.
import type { EngineBenchmark, EngineStatus, EngineStorage } from '#shared/contract/engines'
import type { EngineId } from '#main/engine/types'

const none = { available: false, installed: false, installable: false, removable: false }
const bundled = { ...none, available: true, installed: true, downloadBytes: 0, diskBytes: 0 }

/** The state of engine `id`; `wasmOnly` where TensorFlow is not installed yet. */
export function fakeEngine(id: EngineId, wasmOnly: boolean): EngineStatus {
  const states: Record<EngineId, EngineStatus> = {
    'tensorflow-cuda': {
      ...none,
      id,
      downloadBytes: 3_600_000_000,
      diskBytes: 6_100_000_000,
      verifiedOnHardware: false,
      reason: 'There is no NVIDIA graphics card with a driver here.',
      device: '',
      version: '2.21.0',
    },
    webgpu: {
      ...bundled,
      id,
      available: false,
      verifiedOnHardware: false,
      reason: 'No graphics card was found.',
      device: '',
      version: '4.22.0',
    },
    'tensorflow-cpu': {
      ...none,
      ...(wasmOnly ? { installable: true } : { available: true, installed: true, removable: true }),
      id,
      downloadBytes: 273_829_956,
      diskBytes: 853_000_000,
      verifiedOnHardware: true,
      reason: wasmOnly
        ? 'TensorFlow is not installed.'
        : 'TensorFlow is installed and uses all processor cores.',
      device: '2 cores',
      version: '2.21.0',
    },
    wasm: {
      ...bundled,
      id,
      verifiedOnHardware: true,
      reason: 'WebAssembly is a part of Gyre and always there, but slower: one thread, no native code.',
      device: '2 cores',
      version: '4.22.0',
    },
  }
  return states[id]
}

export const fakeStorage: EngineStorage = {
  folder: '/home/you/.local/share/gyre/engines',
  freeBytes: 41_000_000_000,
  older: [],
}

export const olderEngine: EngineStorage['older'][number] = {
  name: 'tensorflow-cpu-2.20.0-0a1b2c3d4e5f',
  id: 'tensorflow-cpu',
  version: '2.20.0',
  sizeBytes: 812_000_000,
}

/** A measurement of engine `id`; WASM has eager steps only. */
export function fakeBenchmark(id: EngineId): EngineBenchmark {
  const native = id !== 'wasm'
  return {
    engine: { id, name: id, version: '2.21.0', device: '2 cores', reason: 'You chose it.' },
    measuredAt: '2025-11-22T15:40:00.000Z',
    machine: {
      processor: 'Some Processor 3000',
      threads: 2,
      memoryBytes: 8_000_000_000,
      platform: 'linux x64',
    },
    preset: 'quick-look',
    batchSize: 32,
    imageSize: 64,
    steps: {
      eagerMs: native ? 421.4 : 2510,
      compiledMs: native ? 168.2 : null,
      compiledBf16Ms: native ? 96.1 : null,
      dataWaitFraction: 0.004,
      peakRssBytes: 812_000_000,
      reasons: native
        ? {}
        : {
            compiledMs: 'WebAssembly (CPU) runs single operations only: it has no compiled step.',
            compiledBf16Ms: 'bfloat16 needs TensorFlow.',
          },
    },
  }
}
