// Slices for tfjs's WASM backend, whose own kernel copies the whole tensor out of WASM's memory before it takes its
// part: a loop over the parts of a tensor then costs its square. This one copies only what is asked for.
import * as tf from '@tensorflow/tfjs-core'
import type { WasmMemory } from './memory'

/** Copies the block at `begin` of size `size`, in runs as long as they lie together in memory. */
function copyBlock(
  from: Float32Array | Int32Array | Uint8Array,
  to: Float32Array | Int32Array | Uint8Array,
  shape: readonly number[],
  begin: readonly number[],
  size: readonly number[],
): void {
  // Trailing axes that are taken whole make one run, together with the axis before them.
  let axis = shape.length - 1
  let run = 1
  while (axis > 0 && size[axis] === shape[axis]) run *= shape[axis--] ?? 1
  const inner = run
  run *= size[Math.max(axis, 0)] ?? 1
  if (run === 0) return
  const strides = tf.util.computeStrides([...shape.slice(0, axis + 1), inner])
  const index = new Array<number>(Math.max(axis, 0)).fill(0)
  for (let target = 0; target < to.length; target += run) {
    let source = (begin[Math.max(axis, 0)] ?? 0) * inner
    for (const [a, i] of index.entries()) source += ((begin[a] ?? 0) + i) * (strides[a] ?? 0)
    to.set(from.subarray(source, source + run), target)
    for (let a = index.length - 1; a >= 0; a--) {
      const next = (index[a] ?? 0) + 1
      index[a] = next < (size[a] ?? 0) ? next : 0
      if (index[a] !== 0) break
    }
  }
}

/** The kernel that takes the place of the backend's own, which still slices strings. */
export function slice(own: tf.KernelConfig): tf.KernelConfig {
  return {
    ...own,
    kernelFunc: (parameters) => {
      const { x } = parameters.inputs as unknown as { x: tf.Tensor }
      if (x.dtype === 'string') return own.kernelFunc(parameters)
      const attributes = parameters.attrs as unknown as { begin: number | number[]; size: number | number[] }
      const [begin = [], size = []] = tf.slice_util.parseSliceParams(x, attributes.begin, attributes.size)
      tf.slice_util.assertParamsValid(x, begin, size)
      const memory = parameters.backend as WasmMemory
      const output = memory.makeOutput(size, x.dtype)
      copyBlock(memory.typedArrayFromHeap(x), memory.typedArrayFromHeap(output), x.shape, begin, size)
      return output
    },
  }
}
