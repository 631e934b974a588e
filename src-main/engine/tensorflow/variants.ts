// Which TensorFlow libraries Gyre knows: one row per engine, operating system and processor. Each wheel is pinned
// by its SHA-256; no package host is named here.
import type { EngineId } from '../types'
import { nvidiaWheels } from './nvidia-wheels'

/** The engines that are TensorFlow's. */
export type TensorFlowId = Extract<EngineId, `tensorflow-${string}`>

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
  /** Paths inside that must be there. */
  holds: readonly string[]
}

export interface Variant {
  id: TensorFlowId
  version: string
  platform: 'linux' | 'darwin'
  arch: 'x64' | 'arm64'
  /** TensorFlow's own; it holds the libraries that the binding is linked to. */
  wheel: Wheel
  /** Those of the libraries that TensorFlow loads by itself. */
  companions: readonly Wheel[]
  /** Where libraries and binding lie in the engine's folder: TensorFlow finds NVIDIA's libraries beside its own folder. */
  libraryFolder: '' | 'tensorflow'
  /** Folders of the headers that the binding is compiled against. */
  headerFolders: readonly string[]
  unpackedBytes: number
  verifiedOnHardware: boolean
}

const headerFolders = [
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/common_runtime/next_pluggable_device/c/',
  'tensorflow/include/tensorflow/core/platform/',
  'tensorflow/include/tsl/platform/',
  'tensorflow/include/xla/tsl/c/',
]

const linuxLibraries = ['tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2']

export const variants: readonly Variant[] = [
  {
    id: 'tensorflow-cuda',
    version: '2.21.0',
    platform: 'linux',
    arch: 'x64',
    wheel: {
      requirement: 'tensorflow==2.21.0',
      fileName: 'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
      sizeBytes: 572_440_367,
      sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      pythonVersion: '3.11',
      abi: 'cp311',
      platformTag: 'manylinux_2_27_x86_64',
      holds: linuxLibraries,
    },
    companions: nvidiaWheels,
    libraryFolder: 'tensorflow',
    headerFolders,
    unpackedBytes: 5_659_000_000,
    verifiedOnHardware: false,
  },
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
      holds: linuxLibraries,
    },
    companions: [],
    libraryFolder: '',
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
      holds: ['tensorflow/libtensorflow_cc.2.dylib', 'tensorflow/libtensorflow_framework.2.dylib'],
    },
    companions: [],
    libraryFolder: '',
    headerFolders,
    unpackedBytes: 745_000_000,
    verifiedOnHardware: false,
  },
]

/** Every wheel of a variant, TensorFlow's first. */
export const wheelsOf = ({ wheel, companions }: Variant): readonly [Wheel, ...Wheel[]] => [
  wheel,
  ...companions,
]

/** What installing a variant downloads. */
export const downloadBytesOf = (variant: Variant): number =>
  wheelsOf(variant).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

/** The row for this machine, or the sentence that says why there is none. */
export function findVariant(
  id: TensorFlowId,
  platform: string = process.platform,
  arch: string = process.arch,
): Variant | string {
  const row = variants.find((v) => v.id === id && v.platform === platform && v.arch === arch)
  if (row) return row
  if (id === 'tensorflow-cuda')
    return 'TensorFlow’s engine for NVIDIA graphics cards runs on Linux on x86-64 only.'
  if (platform === 'win32') return 'TensorFlow has no engine for Windows in this version of Gyre.'
  if (platform === 'darwin') return 'TensorFlow is no longer made for Intel Macs.'
  return `There is no TensorFlow engine for ${platform} on ${arch}.`
}
