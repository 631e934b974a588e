// The state of a TensorFlow engine: whether it is on disk, what it takes, whether the machine has what it needs, and
// why not.
import { cpus } from 'node:os'
import type { EngineStatus } from '#shared/contract/engines'
import { engineHome } from '../home'
import type { EngineOptions } from '../types'
import { engineFolder, readInstalled } from './installed'
import { findNvidiaDriver } from './nvidia-driver'
import { downloadBytesOf, findVariant, type TensorFlowId, type Variant } from './variants'

export interface TensorFlowState {
  status: EngineStatus
  /** Where it is installed; null where it is not. */
  folder: string | null
}

interface Hardware {
  /** What computes; empty where there is nothing. */
  device: string
  /** What is missing, as a sentence; null where nothing is. */
  missing: string | null
}

async function hardwareOf(id: TensorFlowId, { nvidiaDriver }: EngineOptions): Promise<Hardware> {
  if (id === 'tensorflow-cpu') {
    const all = cpus()
    return { device: `${all[0]?.model.trim() ?? 'CPU'} (${all.length} threads)`, missing: null }
  }
  const driver = await (nvidiaDriver ?? findNvidiaDriver)()
  if (typeof driver === 'string') return { device: '', missing: driver }
  return { device: `${driver.cards.join(', ')} (driver ${driver.version})`, missing: null }
}

const works: Readonly<Record<TensorFlowId, string>> = {
  'tensorflow-cpu': 'TensorFlow is installed and uses all processor cores.',
  'tensorflow-cuda': 'TensorFlow is installed and uses the NVIDIA graphics card.',
}

/** Why there is no row for this machine. */
function unknown(id: TensorFlowId, reason: string): TensorFlowState {
  return {
    status: {
      ...{ id, reason, available: false, installed: false, installable: false, removable: false },
      ...{ downloadBytes: 0, diskBytes: 0, verifiedOnHardware: false, device: '', version: '' },
    },
    folder: null,
  }
}

function reasonOf({ id, verifiedOnHardware }: Variant, installed: boolean, missing: string | null): string {
  if (missing !== null) return missing
  if (!installed) {
    const what = id === 'tensorflow-cuda' ? 'TensorFlow for NVIDIA graphics cards' : 'TensorFlow'
    return `${what} is not installed; the settings, or gyre engine install ${id}, set it up.`
  }
  const hardware = verifiedOnHardware ? '' : ' It has not been verified on this kind of hardware yet.'
  return `${works[id]}${hardware}`
}

/** Reads a few small files; never loads TensorFlow. */
export async function tensorFlowState(id: TensorFlowId, options: EngineOptions): Promise<TensorFlowState> {
  const variant = findVariant(id)
  if (typeof variant === 'string') return unknown(id, variant)
  const { device, missing } = await hardwareOf(id, options)
  const folder = await engineFolder(options.home ?? engineHome(), variant, options.prebuiltBinding)
  const manifest = await readInstalled(folder, variant)
  const installed = manifest !== null
  const sizes = Object.values(manifest?.files ?? {}).map(({ sizeBytes }) => sizeBytes)
  return {
    status: {
      id,
      available: installed && missing === null,
      installed,
      installable: !installed && missing === null,
      removable: installed,
      downloadBytes: downloadBytesOf(variant),
      diskBytes: installed ? sizes.reduce((a, b) => a + b, 0) : variant.unpackedBytes,
      verifiedOnHardware: variant.verifiedOnHardware,
      reason: reasonOf(variant, installed, missing),
      device,
      version: manifest?.version ?? variant.version,
    },
    folder: installed ? folder : null,
  }
}
