// The two calls of tfjs's WASM backend with which a kernel can work on its memory directly.
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core'

export interface WasmMemory {
  makeOutput(shape: number[], dtype: DataType): TensorInfo
  /** A view, valid until the next allocation: that may move the whole heap. */
  typedArrayFromHeap(info: TensorInfo): Float32Array | Int32Array | Uint8Array
}
