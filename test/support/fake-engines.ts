// Made-up states of the four engines, for looking at the window: a machine without a graphics card, where TensorFlow
// for the processor is installed or not.
import type { EngineStatus } from '#shared/contract/app'
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
      reason: wasmOnly ? 'not installed' : 'installed',
      device: '2 cores',
      version: '2.21.0',
    },
    wasm: {
      ...bundled,
      id,
      verifiedOnHardware: true,
      reason: 'always there, slower',
      device: '2 cores',
      version: '4.22.0',
    },
  }
  return states[id]
}
