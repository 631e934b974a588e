// Whether WebGPU can run here, and on what.
import type { EngineStatus } from '#shared/contract/engines'
import type { EngineOptions } from '../types'
import { adapterName, isSoftware, softwareOnly, softwareWanted } from './adapter'
import { webGpuVersion } from './backend'
import { findAdapter } from './probe'

export interface WebGpuState {
  status: EngineStatus
  /** It computes on the processor: only for who asks for it by name. */
  software: boolean
}

/** Asks for the graphics card (see `probe`), which loads nothing into this process. */
export async function webGpuState(options: EngineOptions): Promise<WebGpuState> {
  const wanted = softwareWanted(options.softwareGpu)
  const found = await findAdapter(wanted)
  const none = typeof found === 'string'
  const software = !none && isSoftware(found)
  const available = !none && (!software || wanted)
  const reason = (): string => {
    if (none) return found
    if (!software)
      return 'WebGPU uses the graphics card. It has not been verified on this kind of hardware yet.'
    return wanted
      ? 'A software adapter stands in for a graphics card, as you asked: right, but very slow.'
      : softwareOnly(found)
  }
  return {
    status: {
      id: 'webgpu',
      available,
      installed: true,
      installable: false,
      removable: false,
      downloadBytes: 0,
      diskBytes: 0,
      verifiedOnHardware: software,
      reason: reason(),
      device: available ? adapterName(found) : '',
      version: webGpuVersion(),
    },
    software,
  }
}
