// Names of the engines for people. Pure.
import type { EngineWish } from '#shared/contract/common'

const names: Record<EngineWish, string> = {
  auto: 'Best available',
  'tensorflow-cpu': 'TensorFlow on the processor',
  wasm: 'WebAssembly',
}

export const engineName = (id: EngineWish): string => names[id]
