// The built thread that prepares batches: it makes what a source in this thread makes, from wherever it is asked to go on,
// and says what it cannot make.
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatchSource, openPack, type BatchOptions, type PackReader } from '#main/data/index'
import { createSharedBatches } from '#main/data/shared-batches'
import { withFolder } from '../../support/folders'
import { writePack } from '../../support/packs'

const entry = resolve(import.meta.dirname, '../../../dist/main/batches.js')
const imageSize = 8
const contents = {
  count: 50,
  imageSize,
  channelsIn: 3,
  imagesPerShard: 7,
  value: (image: number, at: number) => (image + at * 5) & 255,
} as const

let folder = ''
let pack: PackReader
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-test-'))
  pack = openPack(await writePack(folder, contents))
})
afterAll(async () => {
  pack.close()
  await rm(folder, { recursive: true, force: true })
})

const plain: BatchOptions = { batchSize: 4, sampling: 'epoch', seed: 1, flip: false, randomCrop: false }
const shared = (options: BatchOptions, trainIndices: Int32Array, from = folder) =>
  createSharedBatches({ entry, folder: from, imageSize, channels: 3, trainIndices, options })

const everything = fc.record({
  options: fc.record<BatchOptions>({
    batchSize: fc.integer({ min: 1, max: 13 }),
    sampling: fc.constantFrom('epoch', 'replacement'),
    seed: fc.nat(2_147_483_647),
    flip: fc.boolean(),
    randomCrop: fc.boolean(),
  }),
  train: fc
    .uniqueArray(fc.nat(contents.count - 1), { minLength: 1, maxLength: contents.count })
    .map((positions) => Int32Array.from(positions).sort()),
  /** How many batches are taken, and where it goes on then. */
  parts: fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.nat(20)), { minLength: 1, maxLength: 4 }),
})

describe('batches from another thread', () => {
  it('are those made in this one, wherever they go on', async () => {
    await fc.assert(
      fc.asyncProperty(everything, async ({ options, train, parts }) => {
        const [one, other] = [createBatchSource(pack, train, options), shared(options, train)]
        try {
          for (const [count, next] of parts) {
            for (let i = 0; i < count; i++) expect(await other.next()).toEqual(await one.next())
            expect(other.state()).toEqual(one.state())
            const state = { batch: next, images: train.length }
            one.restore(state)
            other.restore(state)
          }
          expect([other.stepsPerEpoch, other.epochOf(7)]).toEqual([one.stepsPerEpoch, one.epochOf(7)])
        } finally {
          await other.close()
          await one.close()
        }
      }),
      { numRuns: 25 },
    )
  })

  it('stay whole while the next ones are made, and leave shared memory', async () => {
    const source = shared(plain, Int32Array.of(1, 2, 3))
    for (let i = 0; i < 6; i++) {
      const { values } = await source.next()
      const before = values.slice()
      // The thread has answered by then: it has made another batch.
      await new Promise((resolve) => setImmediate(resolve))
      expect(values).toEqual(before)
      expect(values.buffer).toBeInstanceOf(ArrayBuffer)
    }
    await source.close()
  })

  it('fail where the pack fails, keep the place, and come once it is whole again', async () => {
    await withFolder(async (other) => {
      await writePack(other, { ...contents, count: 4 })
      const shard = join(other, 'shard-00000.bin')
      const whole = await readFile(shard)
      const source = shared(plain, Int32Array.of(0, 1, 2, 3), other)
      await source.next()
      await truncate(shard, 10)
      // One is ready, and perhaps a second.
      const failure = (async () => {
        for (let i = 0; i < 4; i++) await source.next()
      })()
      await expect(failure).rejects.toMatchObject({ code: 'corrupt' })
      await expect(source.next()).rejects.toMatchObject({ code: 'corrupt' })
      const { batch } = source.state()
      await writeFile(shard, whole)
      await source.next()
      expect(source.state().batch).toBe(batch + 1)
      await source.close()
    })
  })

  it('end with a reason where the thread can’t start, and when they are closed', async () => {
    await withFolder(async (empty) => {
      const source = shared(plain, Int32Array.of(0), empty)
      await expect(source.next()).rejects.toMatchObject({ code: 'internal' })
      await source.close()
    })
    const source = shared(plain, Int32Array.of(0))
    await source.next()
    await source.close()
    await expect(source.next()).rejects.toMatchObject({ code: 'cancelled' })
    expect(() => shared(plain, new Int32Array())).toThrow(/no images/)
  })
})
