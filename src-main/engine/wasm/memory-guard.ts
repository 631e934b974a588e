// WebAssembly's memory ends at 4 GB. tfjs does not look whether it got what it asked for: it would write to address 0, where
// the build keeps its own things, and its threads might wait for each other for ever.
import type { KernelBackend } from '@tensorflow/tfjs-core'
import { tooLittleMemory } from '../out-of-memory'

interface WasmBackend extends KernelBackend {
  wasm: { _malloc: (sizeBytes: number) => number; _free: (address: number) => void }
}

/** Makes an allocation that fails an `out-of-memory` error. */
export function guardMemory(backend: KernelBackend): KernelBackend {
  const { wasm } = backend as WasmBackend
  // The first call puts the function itself into the place of what looks it up.
  wasm._free(wasm._malloc(1))
  const allocate = wasm._malloc
  wasm._malloc = (sizeBytes) => {
    const address = allocate(sizeBytes)
    if (address === 0) throw tooLittleMemory()
    return address
  }
  return backend
}
