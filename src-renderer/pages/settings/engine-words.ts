// Names of the engines for people. Pure.
import type { EngineWish } from '#shared/contract/common'

const names: Record<EngineWish, string> = {
  auto: 'Best available',
  'tensorflow-cuda': 'TensorFlow on an NVIDIA GPU',
  webgpu: 'WebGPU, any graphics card',
  'tensorflow-cpu': 'TensorFlow on the processor',
  wasm: 'WebAssembly',
}

export const engineName = (id: EngineWish): string => names[id]
