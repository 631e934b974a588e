// Sums the rows of a tensor by segment (the gradient of a gather, and the codebook's EMA sums), which tfjs's WASM
// backend lacks. Plain loops over its memory: rows are added in order, so the result is the same every time.
import * as tf from '@tensorflow/tfjs-core'
import type { WasmMemory } from './memory'

/** `sums[id] += row` for every row; ids outside [0, segments) are left out, as TensorFlow does with negative ones. */
function addRows(
  sums: Float32Array | Int32Array | Uint8Array,
  rows: Float32Array | Int32Array | Uint8Array,
  ids: Int32Array,
  segments: number,
): void {
  const width = segments === 0 ? 0 : sums.length / segments
  for (const [row, id] of ids.entries()) {
    if (id < 0 || id >= segments) continue
    const from = row * width
    const to = id * width
    for (let d = 0; d < width; d++) sums[to + d] = (sums[to + d] ?? 0) + (rows[from + d] ?? 0)
  }
}

export const unsortedSegmentSum: tf.KernelConfig = {
  kernelName: tf.UnsortedSegmentSum,
  backendName: 'wasm',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo }
    const { numSegments } = attrs as { numSegments: number }
    const memory = backend as WasmMemory
    const output = memory.makeOutput([numSegments, ...x.shape.slice(1)], x.dtype)
    // Views are taken after the allocation, which may move the heap.
    const sums = memory.typedArrayFromHeap(output)
    sums.fill(0)
    const ids = memory.typedArrayFromHeap(segmentIds) as Int32Array
    addRows(sums, memory.typedArrayFromHeap(x), ids, numSegments)
    return output
  },
}
