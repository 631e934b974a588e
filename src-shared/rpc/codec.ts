// Messages as MessagePack bytes, for sockets. Uint8Array is native; Int32Array and Float32Array are
// extension types 1 and 2 (little endian). Properties that are undefined are left out; null stays null.
import { decode, encode, ExtensionCodec } from '@msgpack/msgpack'
import type { Message } from './message'

const codec = new ExtensionCodec()

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** A copy, because a typed array needs an aligned start and the frame gives none. */
function words(data: Uint8Array): ArrayBuffer {
  if (data.byteLength % 4 !== 0) throw new RangeError('array of broken words')
  return new Uint8Array(data).buffer
}

codec.register({
  type: 1,
  encode: (value) => (value instanceof Int32Array ? bytesOf(value) : null),
  decode: (data) => new Int32Array(words(data)),
})
codec.register({
  type: 2,
  encode: (value) => {
    if (value instanceof Float32Array) return bytesOf(value)
    // MessagePack would send any other view as plain bytes, and the reader would not notice.
    if (ArrayBuffer.isView(value) && !(value instanceof Uint8Array)) {
      throw new TypeError(
        `${value.constructor.name} can't be sent; use Uint8Array, Int32Array or Float32Array`,
      )
    }
    return null
  },
  decode: (data) => new Float32Array(words(data)),
})

/** Throws a TypeError for values that the codec does not carry (other typed arrays, functions, bigint). */
export function encodeFrame(message: Message): Uint8Array<ArrayBuffer> {
  return encode(message, { extensionCodec: codec, ignoreUndefined: true })
}

/** Throws for anything that is not one whole MessagePack value. Lists longer than `maxItems` are refused. */
export function decodeFrame(frame: Uint8Array | ArrayBuffer, maxItems = 10_000_000): unknown {
  const bytes = frame instanceof Uint8Array ? bytesOf(frame) : new Uint8Array(frame)
  // A list can't have more items than bytes are left; without this a few bytes could claim gigabytes.
  const limit = Math.min(maxItems, bytes.byteLength)
  return decode(bytes, { extensionCodec: codec, maxArrayLength: limit, maxMapLength: limit })
}
