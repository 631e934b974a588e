// Just enough of the protocol buffer wire format (encoding guide, protobuf.dev) to write a TensorFlow graph: varints,
// 32-bit floats, texts, bytes and nested messages. Nothing is read.

const varint = 0
const lengthDelimited = 2
const fixed32 = 5

export class Message {
  readonly #parts: Uint8Array[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** int32, int64, bool and enum fields. Negative numbers take ten bytes, as the format says. */
  integer(field: number, value: number | bigint): this {
    return this.#push(encodeVarint((field << 3) | varint)).#push(encodeVarint(value))
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    return this.#push(encodeVarint((field << 3) | fixed32)).#push(bytes)
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#push(encodeVarint((field << 3) | lengthDelimited))
      .#push(encodeVarint(value.length))
      .#push(value)
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value))
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish())
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.#size)
    let offset = 0
    for (const part of this.#parts) {
      whole.set(part, offset)
      offset += part.length
    }
    return whole
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part)
    this.#size += part.length
    return this
  }
}

function encodeVarint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}
