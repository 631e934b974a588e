// The socket's byte form: laws over random values, bounds against hostile frames, the first frame.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFrame, encodeFrame } from '#shared/rpc/codec'
import { maxHelloBytes, readHello } from '#shared/rpc/handshake'

const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.string(),
    fc.uint8Array(),
    fc.int32Array(),
    fc.float32Array(),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value

describe('codec', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 9 }), (value, offset) => {
        const frame = encodeFrame({ type: 'result', id: 1, value })
        // Frames come out of larger buffers, at any offset.
        const shifted = new Uint8Array(frame.length + offset).subarray(offset)
        shifted.set(frame)
        expect(decodeFrame(shifted)).toStrictEqual({ type: 'result', id: 1, value })
      }),
      { seed: 5, numRuns: 300 },
    )
  })

  it('reads bytes as plain Uint8Array also from a Buffer', () => {
    const frame = encodeFrame({ type: 'result', id: 1, value: Buffer.from([1, 2, 3]) })
    const { value } = decodeFrame(Buffer.from(frame)) as { value: Uint8Array }
    expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype)
    expect(value).toEqual(new Uint8Array([1, 2, 3]))
  })

  it.each([new Float64Array(1), new Uint16Array(1), new DataView(new ArrayBuffer(1))])(
    'refuses a view it would flatten to bytes: %o',
    (value) => {
      expect(() => encodeFrame({ type: 'result', id: 1, value })).toThrow(TypeError)
    },
  )

  it.each([
    ['nothing', []],
    ['a list that claims 4 billion items', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map that claims 4 billion entries', [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ['text longer than the frame', [0xdb, 0x7f, 0xff, 0xff, 0xff, 0x41]],
    ['two values', [0x01, 0x02]],
    ['the key __proto__', [0x81, 0xa9, ...Buffer.from('__proto__'), 0x80]],
    ['an array of broken words', [0xc7, 0x03, 0x01, 1, 2, 3]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => decodeFrame(new Uint8Array(bytes))).toThrow()
  })

  it('refuses lists longer than asked for', () => {
    const frame = encodeFrame({ type: 'result', id: 1, value: Array(101).fill(0) })
    expect(() => decodeFrame(frame, 100)).toThrow(/max/i)
    expect(() => decodeFrame(frame, 101)).not.toThrow()
  })
})

describe('readHello', () => {
  it('reads a token', () => {
    expect(readHello('{"token":"abc"}')).toBe('abc')
  })

  it.each([
    '',
    'token',
    '"abc"',
    'null',
    '[]',
    '{}',
    '{"token":1}',
    '{"token":null}',
    '{"token":["abc"]}',
    '{"token":"abc","more":1}',
    JSON.stringify({ token: 'x'.repeat(maxHelloBytes) }),
  ])('reads none from %s', (text) => {
    expect(readHello(text)).toBeUndefined()
  })
})
