// An engine for tests of the mathematics: TensorFlow where it is installed, else WASM. Both run the same kernels
// as a training run does.
import { loadEngine, type Engine } from '#main/engine/index'

export function startTestEngine(): Promise<Engine> {
  return loadEngine('auto')
}
