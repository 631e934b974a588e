import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  createSafetensorsWriter,
  openSafetensors,
  readSafetensors,
  writeSafetensors,
  type NamedTensor,
} from '#main/export/safetensors'

let folder: string
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'gyre-safetensors-'))))
afterEach(() => rm(folder, { recursive: true }))

/** A file made by hand, so that headers can lie. */
function handmade(header: unknown, data = new Uint8Array(0), length?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length ?? BigInt(json.length))
  return Buffer.concat([prefix, json, data])
}

const info = (shape: number[], begin: number, end: number, dtype = 'F32'): unknown => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

const sample: NamedTensor[] = [
  { name: 'bytes', dtype: 'U8', shape: [3], data: new Uint8Array([1, 2, 255]) },
  { name: 'codebook', dtype: 'F32', shape: [2, 2], data: new Float32Array([1, -0.5, 1e-40, 3e38]) },
  { name: 'tokens', dtype: 'I32', shape: [1, 2], data: new Int32Array([-1, 2_000_000_000]) },
  { name: 'nothing', dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
]

describe('writing', () => {
  test('the bytes are those of the format, worked out by hand', async () => {
    const path = join(folder, 'a.safetensors')
    await writeSafetensors(path, [{ name: 'x', dtype: 'I32', shape: [2], data: new Int32Array([1, 258]) }], {
      a: 'b',
    })
    const header = '{"__metadata__":{"a":"b"},"x":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}'.padEnd(
      80,
      ' ',
    )
    const expected = Buffer.concat([
      Buffer.from([80, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from(header),
      Buffer.from([1, 0, 0, 0, 2, 1, 0, 0]),
    ])
    expect((await readFile(path)).toString('latin1')).toBe(expected.toString('latin1'))
  })

  test('what was written is read back, and nothing else is in the folder', async () => {
    const path = join(folder, 'a.safetensors')
    await writeSafetensors(path, sample, { made: 'here', files: '["a.png","ü\\"b.png"]' })
    const { tensors, metadata } = await readSafetensors(path)
    expect(Object.fromEntries(metadata)).toEqual({ made: 'here', files: '["a.png","ü\\"b.png"]' })
    expect(tensors.size).toBe(sample.length)
    for (const tensor of sample) expect(tensors.get(tensor.name)).toEqual(tensor)
    expect(await readdir(folder)).toEqual(['a.safetensors'])
  })

  test('any tensors survive, and one of them can be read alone', async () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })
    const tensor = fc.record({ name: fc.string({ minLength: 1 }), shape: shapes, seed: fc.integer() })
    const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(tensors, async (specs) => {
        const path = join(folder, 'law.safetensors')
        const made = specs
          .filter(({ name }) => name !== '__metadata__')
          .map(({ name, shape, seed }): NamedTensor => {
            const size = shape.reduce((a, b) => a * b, 1)
            return { name, shape, dtype: 'I32', data: new Int32Array(size).map((_, i) => seed ^ (i * 7919)) }
          })
        await writeSafetensors(path, made)
        expect([...(await readSafetensors(path)).tensors.values()]).toHaveLength(made.length)
        for (const one of made)
          expect((await readSafetensors(path, [one.name])).tensors.get(one.name)).toEqual(one)
      }),
      { numRuns: 60 },
    )
  })

  test('pieces make the same file, and an unfinished one never appears', async () => {
    const whole = join(folder, 'whole')
    const pieces = join(folder, 'pieces')
    await writeSafetensors(whole, sample)
    const writer = await createSafetensorsWriter(pieces, sample)
    for (const { name, data } of [...sample].reverse())
      for (let at = 0; at < data.length; at++) await writer.append(name, data.subarray(at, at + 1))
    expect(await readdir(folder)).not.toContain('pieces')
    await writer.finish()
    expect(await readFile(pieces)).toEqual(await readFile(whole))

    const short = await createSafetensorsWriter(join(folder, 'short'), sample)
    await expect(short.finish()).rejects.toMatchObject({ code: 'internal' })
    await short.abort()
    const long = await createSafetensorsWriter(join(folder, 'long'), sample)
    await expect(long.append('bytes', new Uint8Array(4))).rejects.toMatchObject({ code: 'internal' })
    await long.abort()
    expect((await readdir(folder)).sort()).toEqual(['pieces', 'whole'])
  })
})

describe('hostile files', () => {
  const data8 = new Uint8Array(8)
  const hostile: [string, Uint8Array][] = [
    ['empty', new Uint8Array(0)],
    ['shorter than a header', new Uint8Array(7)],
    ['header of 2^63 bytes', handmade({}, data8, 2n ** 63n)],
    ['header of 2^64-1 bytes', handmade({}, data8, 2n ** 64n - 1n)],
    ['header longer than the file', handmade({}, data8, 11n)],
    ['no header', handmade('', data8)],
    ['header that is not JSON', handmade('{"a":', data8)],
    ['header that is a list', handmade([], new Uint8Array(0))],
    ['header that starts with a space', handmade(' {}')],
    ['header that is not UTF-8', handmade('{}', undefined, 2n).map((byte, i) => (i === 8 ? 0xff : byte))],
    ['data without tensors', handmade({}, data8)],
    [
      'tensor twice',
      handmade(
        '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
        data8,
      ),
    ],
    [
      'tensor twice, once escaped',
      handmade(
        '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"\\u0061":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
        data8,
      ),
    ],
    ['field twice', handmade('{"a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}}', data8)],
    [
      'metadata twice',
      handmade(
        '{"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
        data8,
      ),
    ],
    ['metadata with a number', handmade({ __metadata__: { k: 1 }, a: info([8], 0, 8, 'U8') }, data8)],
    ['overlap', handmade({ a: info([1], 0, 4), b: info([1], 2, 6), c: info([2], 6, 8, 'U8') }, data8)],
    ['the same bytes twice', handmade({ a: info([2], 0, 8), b: info([2], 0, 8) }, data8)],
    ['hole', handmade({ a: info([2], 0, 2, 'U8'), b: info([1], 4, 8) }, data8)],
    ['hole at the start', handmade({ a: info([1], 4, 8) }, data8)],
    ['rest at the end', handmade({ a: info([1], 0, 4) }, data8)],
    ['data missing at the end', handmade({ a: info([3], 0, 12) }, data8)],
    ['offsets that do not fit the shape', handmade({ a: info([3], 0, 8) }, data8)],
    ['offsets backwards', handmade({ a: info([2], 8, 0) }, data8)],
    ['negative side', handmade({ a: info([-1, -2], 0, 8) }, data8)],
    ['fractional side', handmade({ a: info([0.5, 4], 0, 8) }, data8)],
    ['side of 2^53', handmade({ a: info([2 ** 53], 0, 8) }, data8)],
    ['product beyond 2^64 that ends in zero', handmade({ a: info([2 ** 40, 2 ** 40, 0], 0, 0) })],
    ['rank 40', handmade({ a: info(new Array<number>(40).fill(1), 0, 4) }, new Uint8Array(4))],
    ['unknown number format', handmade({ a: info([8], 0, 8, 'Q8') }, data8)],
    ['number format from the prototype', handmade({ a: info([8], 0, 8, 'constructor') }, data8)],
    [
      'unknown field',
      handmade({ a: { dtype: 'U8', shape: [8], data_offsets: [0, 8], path: '/etc/passwd' } }, data8),
    ],
    ['missing shape', handmade({ a: { dtype: 'U8', data_offsets: [0, 8] } }, data8)],
    ['entry that is text', handmade({ a: 'x' }, data8)],
  ]
  test.each(hostile)('%s', async (_, bytes) => {
    await expect(openSafetensors(bytes)).rejects.toMatchObject({ code: 'corrupt' })
    const path = join(folder, 'hostile')
    await writeFile(path, bytes)
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('every truncation is noticed', async () => {
    const path = join(folder, 'a')
    await writeSafetensors(path, sample, { a: 'b' })
    const bytes = await readFile(path)
    for (let length = 0; length < bytes.length; length++)
      await expect(openSafetensors(bytes.subarray(0, length))).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('random bytes in the header never crash: they are refused, or the file is still consistent', async () => {
    const path = join(folder, 'a')
    await writeSafetensors(path, sample, { a: 'b' })
    const bytes = await readFile(path)
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 0, max: 255 }),
        async (at, value) => {
          const changed = Buffer.from(bytes)
          changed[at] = value
          const read = await readSafetensors(changed).catch((error: unknown) => error)
          if (read instanceof Error) expect(read).toMatchObject({ name: 'GyreError' })
        },
      ),
      { numRuns: 500 },
    )
  })

  test('a number format that Gyre does not use is listed, and refused on reading', async () => {
    const reader = await openSafetensors(handmade({ a: info([1], 0, 8, 'I64') }, data8))
    expect(reader.tensors.get('a')).toMatchObject({ dtype: 'I64', shape: [1] })
    await expect(reader.read('a')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(reader.read('b')).rejects.toMatchObject({ code: 'not-found' })
  })
})
