// What the engines are called, the same in the window, on the command line and in files.
import type { EngineId } from './contract/common'

export const engineNames: Readonly<Record<EngineId, string>> = {
  'tensorflow-cuda': 'TensorFlow (NVIDIA GPU)',
  webgpu: 'WebGPU',
  'tensorflow-cpu': 'TensorFlow (CPU)',
  wasm: 'WebAssembly (CPU)',
}
