// Which TensorFlow libraries Gyre knows: one row per engine, operating system and processor. Each wheel is pinned
// by its SHA-256; no package host is named here. A CUDA engine will be one more row with more wheels.
import type { EngineId } from '../types'

export interface Wheel {
  /** `name==version`, as pip wants it. */
  requirement: string
  fileName: string
  sizeBytes: number
  sha256: string
  /** What pip is told, so that any Python on the machine can look up this wheel. */
  pythonVersion: string
  abi: string
  platformTag: string
}

export interface Variant {
  id: EngineId
  version: string
  platform: 'linux' | 'darwin'
  arch: 'x64' | 'arm64'
  wheel: Wheel
  /** Paths inside the wheel: libraries to keep, and the headers that the binding is compiled against. */
  libraries: readonly string[]
  headerFolders: readonly string[]
  unpackedBytes: number
  verifiedOnHardware: boolean
}

const headerFolders = [
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/',
  'tensorflow/include/tsl/platform/',
  'tensorflow/include/xla/tsl/c/',
]

export const variants: readonly Variant[] = [
  {
    id: 'tensorflow-cpu',
    version: '2.21.0',
    platform: 'linux',
    arch: 'x64',
    wheel: {
      requirement: 'tensorflow-cpu==2.21.0',
      fileName: 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
      sizeBytes: 273_829_956,
      sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
      pythonVersion: '3.11',
      abi: 'cp311',
      platformTag: 'manylinux_2_27_x86_64',
    },
    libraries: ['tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'],
    headerFolders,
    unpackedBytes: 860_000_000,
    verifiedOnHardware: true,
  },
  {
    id: 'tensorflow-cpu',
    version: '2.21.0',
    platform: 'darwin',
    arch: 'arm64',
    wheel: {
      requirement: 'tensorflow==2.21.0',
      fileName: 'tensorflow-2.21.0-cp311-cp311-macosx_12_0_arm64.whl',
      sizeBytes: 223_405_849,
      sha256: '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
      pythonVersion: '3.11',
      abi: 'cp311',
      platformTag: 'macosx_12_0_arm64',
    },
    libraries: ['tensorflow/libtensorflow_cc.2.dylib', 'tensorflow/libtensorflow_framework.2.dylib'],
    headerFolders,
    unpackedBytes: 745_000_000,
    verifiedOnHardware: false,
  },
]

/** The row for this machine, or the sentence that says why there is none. */
export function findVariant(
  id: EngineId,
  platform: string = process.platform,
  arch: string = process.arch,
): Variant | string {
  const row = variants.find((v) => v.id === id && v.platform === platform && v.arch === arch)
  if (row) return row
  if (platform === 'win32') return 'TensorFlow has no engine for Windows in this version of Gyre; WASM works.'
  if (platform === 'darwin') return 'TensorFlow is no longer made for Intel Macs; WASM works.'
  return `There is no TensorFlow engine for ${platform} on ${arch}; WASM works.`
}
