import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { augment } from '#main/data/augment'
import { scaledByte } from '#main/data/scale'
import { createBatchSource, openPack, type Batch, type BatchOptions, type PackReader } from '#main/data/index'
import { drawInt, randomAt, shuffled } from '#main/data/random'
import { withFolder } from '../../support/folders'
import { writePack } from '../../support/packs'

const size = 8
const imageBytes = size * size * 3
const count = 50
/** Every image differs from the others in its first byte. */
const value = (image: number, at: number): number => (image + at * 5) & 255

let folder = ''
let pack: PackReader
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-test-'))
  pack = openPack(
    await writePack(folder, { count, imageSize: size, channelsIn: 3, imagesPerShard: 7, value }),
  )
})
afterAll(async () => {
  pack.close()
  await rm(folder, { recursive: true, force: true })
})

const plain: BatchOptions = { batchSize: 4, sampling: 'epoch', seed: 1, flip: false, randomCrop: false }

const optionsArbitrary: fc.Arbitrary<BatchOptions> = fc.record({
  batchSize: fc.integer({ min: 1, max: 13 }),
  sampling: fc.constantFrom('epoch', 'replacement'),
  seed: fc.nat(2_147_483_647),
  flip: fc.boolean(),
  randomCrop: fc.boolean(),
})
const trainArbitrary = fc
  .uniqueArray(fc.nat(count - 1), { minLength: 1, maxLength: count })
  .map((positions) => Int32Array.from(positions).sort())

async function take(source: { next(): Promise<Batch> }, batches: number): Promise<Batch[]> {
  const taken: Batch[] = []
  for (let i = 0; i < batches; i++) taken.push(await source.next())
  return taken
}
/** The bytes that were scaled to [−1, 1]. */
const bytesOf = (values: Float32Array): number[] => Array.from(values, (v) => Math.round((v + 1) * 127.5))
const drawn = (batches: Batch[]): number[] => batches.flatMap(({ indices }) => [...indices])

describe('batches by epoch', () => {
  it('give every image once before any repeats, in a new order each time', async () => {
    await fc.assert(
      fc.asyncProperty(optionsArbitrary, trainArbitrary, async (options, train) => {
        const source = createBatchSource(pack, train, { ...options, sampling: 'epoch' })
        const epochs = 3
        const batches = await take(source, Math.ceil((epochs * train.length) / options.batchSize))
        const order = drawn(batches)
        for (let epoch = 0; epoch < epochs; epoch++) {
          const once = order.slice(epoch * train.length, (epoch + 1) * train.length)
          expect(once.sort((a, b) => a - b)).toEqual([...train])
        }
        await source.close()
      }),
      { numRuns: 40 },
    )
  })

  it('differ between epochs and seeds', async () => {
    const train = Int32Array.from({ length: count }, (_, i) => i)
    const order = async (seed: number, skip: number) => {
      const source = createBatchSource(pack, train, { ...plain, batchSize: count, seed })
      return drawn((await take(source, skip + 1)).slice(skip))
    }
    const orders = [await order(1, 0), await order(1, 1), await order(2, 0), [...train]]
    expect(new Set(orders.map(String)).size).toBe(4)
    expect(await order(1, 0)).toEqual(orders[0])
  })

  it('know how long an epoch is', () => {
    const source = createBatchSource(
      pack,
      Int32Array.from({ length: 10 }, (_, i) => i),
      plain,
    )
    expect(source.stepsPerEpoch).toBe(3)
    expect([source.epochOf(0), source.epochOf(5), source.epochOf(10)]).toEqual([0, 2, 4])
  })
})

describe('batches with replacement', () => {
  it('draw every image about equally often, and only images of the split', async () => {
    const train = Int32Array.from({ length: 10 }, (_, i) => 3 * i)
    const source = createBatchSource(pack, train, { ...plain, sampling: 'replacement', batchSize: 100 })
    const counts = new Map<number, number>()
    for (const index of drawn(await take(source, 100))) counts.set(index, (counts.get(index) ?? 0) + 1)
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([...train])
    // 10,000 draws of 10: chi-square with 9 degrees of freedom stays below 33.7 with p = 0.9999.
    const chiSquare = [...counts.values()].reduce((sum, seen) => sum + (seen - 1000) ** 2 / 1000, 0)
    expect(chiSquare).toBeLessThan(33.7)
  })
})

describe('the state', () => {
  it('put back goes on exactly as if nothing had happened', async () => {
    await fc.assert(
      fc.asyncProperty(
        optionsArbitrary,
        trainArbitrary,
        fc.nat(30),
        fc.integer({ min: 1, max: 12 }),
        async (options, train, before, after) => {
          const straight = createBatchSource(pack, train, options)
          await take(straight, before)
          const state: unknown = JSON.parse(JSON.stringify(straight.state()))
          const wanted = await take(straight, after)

          const resumed = createBatchSource(pack, train, options)
          resumed.restore(state)
          expect(await take(resumed, after)).toEqual(wanted)
          straight.restore(state)
          expect(await take(straight, after)).toEqual(wanted)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('is that of the next batch that was not delivered, whatever was read ahead', async () => {
    const source = createBatchSource(pack, Int32Array.of(1, 2, 3), plain)
    expect(source.state()).toEqual({ batch: 0, images: 3 })
    const first = source.next()
    expect(source.state().batch).toBe(0)
    await first
    expect(source.state().batch).toBe(1)
  })

  it('that is damaged is refused', () => {
    const source = createBatchSource(pack, Int32Array.of(1, 2, 3), plain)
    for (const state of [null, {}, { batch: -1, images: 3 }, { batch: 1.5, images: 3 }, 'x']) {
      expect(() => source.restore(state)).toThrow(expect.objectContaining({ code: 'corrupt' }))
    }
  })
})

describe('pixels of a batch', () => {
  it('are those of the images when nothing is augmented', async () => {
    const source = createBatchSource(pack, Int32Array.of(4, 9, 30), { ...plain, batchSize: 5 })
    for (const { values, indices } of await take(source, 4)) {
      const wanted = [...indices].flatMap((i) => Array.from({ length: imageBytes }, (_, at) => value(i, at)))
      expect(values).toEqual(Float32Array.from(wanted, (byte) => byte / 127.5 - 1))
    }
  })

  it('are mirrored half of the time with flip, and never otherwise changed', async () => {
    const source = createBatchSource(pack, Int32Array.of(0), { ...plain, batchSize: 400, flip: true })
    const { values } = await source.next()
    const original = Array.from({ length: imageBytes }, (_, at) => value(0, at))
    const mirror = original.map((_, at) => {
      const [row, x, c] = [Math.floor(at / (3 * size)), Math.floor(at / 3) % size, at % 3]
      return original[3 * (row * size + size - 1 - x) + c]
    })
    let mirrored = 0
    for (let n = 0; n < 400; n++) {
      const image = bytesOf(values.subarray(n * imageBytes, (n + 1) * imageBytes))
      if (image.join() === mirror.join()) mirrored += 1
      else expect(image).toEqual(original)
    }
    expect(mirrored).toBeGreaterThan(150)
    expect(mirrored).toBeLessThan(250)
  })

  it('fail where the pack fails, again and again, and the place is kept', async () => {
    await withFolder(async (other) => {
      const contents = { count: 4, imageSize: size, channelsIn: 3, imagesPerShard: 4, value } as const
      const reader = openPack(await writePack(other, contents))
      const source = createBatchSource(reader, Int32Array.of(0, 1, 2, 3), plain)
      await truncate(join(other, 'shard-00000.bin'), 10)
      await expect(source.next()).rejects.toMatchObject({ code: 'corrupt' })
      await expect(source.next()).rejects.toMatchObject({ code: 'corrupt' })
      expect(source.state().batch).toBe(0)
      await source.close()
      reader.close()
    })
  })

  it('need at least one image', () => {
    expect(() => createBatchSource(pack, new Int32Array(), plain)).toThrow(/no images/)
  })
})

describe('augmentation', () => {
  it('moves pixel by pixel, repeats the edge and then mirrors', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(1, 3),
        fc.integer({ min: -12, max: 12 }),
        fc.integer({ min: -12, max: 12 }),
        fc.boolean(),
        (side, channels, shiftX, shiftY, mirror) => {
          const source = Uint8Array.from({ length: side * side * channels }, (_, i) => (i * 13) & 255)
          const target = new Float32Array(source.length)
          augment(source, target, side, channels, { shiftX, shiftY, mirror })
          const clamp = (v: number): number => Math.max(0, Math.min(side - 1, v))
          for (let y = 0; y < side; y++) {
            for (let x = 0; x < side; x++) {
              const shown = mirror ? side - 1 - x : x
              for (let c = 0; c < channels; c++) {
                const from = (clamp(y - shiftY) * side + clamp(shown - shiftX)) * channels + c
                expect(target[(y * side + x) * channels + c]).toBe(scaledByte(source[from] ?? 0))
              }
            }
          }
        },
      ),
    )
  })
})

describe('randomness by address', () => {
  it('is the same for the same address and evenly spread over neighbouring ones', () => {
    expect(randomAt(5, 'batch', 9).next()).toBe(randomAt(5, 'batch', 9).next())
    expect(randomAt(5, 'batch', 9).next()).not.toBe(randomAt(5, 'shuffle', 9).next())
    expect(randomAt(5, 'batch', 2 ** 32 + 9).next()).not.toBe(randomAt(5, 'batch', 9).next())
    for (const address of [(i: number) => [3, i] as const, (i: number) => [i, 3] as const]) {
      const counts = new Array<number>(10).fill(0)
      for (let i = 0; i < 10_000; i++) {
        const [seed, counter] = address(i)
        const digit = drawInt(randomAt(seed, 'batch', counter), 0, 9)
        counts[digit] = (counts[digit] ?? 0) + 1
      }
      expect(counts.reduce((sum, seen) => sum + (seen - 1000) ** 2 / 1000, 0)).toBeLessThan(33.7)
    }
  })

  it('shuffles all 24 orders of four about equally often', () => {
    const counts = new Map<string, number>()
    for (let i = 0; i < 24_000; i++) {
      const order = shuffled(4, randomAt(0, 'shuffle', i)).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(24)
    // 23 degrees of freedom, p = 0.9999.
    expect([...counts.values()].reduce((sum, seen) => sum + (seen - 1000) ** 2 / 1000, 0)).toBeLessThan(56)
  })
})
