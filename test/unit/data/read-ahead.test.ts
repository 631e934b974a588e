// How a list becomes requests and requests answers: the order, the bound on what is in memory, and errors.
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import type { Decoders } from '#main/data/decoders'
import { readAhead, type Listed } from '#main/data/read-ahead'
import type { ReadRequest } from '#main/data/read-files'

const transform: Transform = { imageSize: 8, resize: 'crop', background: '#ffffff', channelsIn: 1 }
const settings = { root: '/', transform }
const facts = {
  sizeBytes: 1,
  modifiedMs: 1,
  width: 8,
  height: 8,
  format: 'png',
  mode: 'srgb',
  hasAlpha: false,
}

/** Decoders that answer late and out of order; the pixels of file `n` are all `n`. */
function lateDecoders(parallel: number, delay: (request: ReadRequest) => number, durationMs = 1) {
  const seen = { underWay: 0, most: 0, memory: new Set<SharedArrayBuffer>() }
  const decoders: Decoders = {
    parallel,
    async read(request) {
      seen.most = Math.max(seen.most, ++seen.underWay)
      seen.memory.add(request.into)
      for (let i = 0; i < delay(request); i++) await setImmediate()
      const pixels = new Uint8Array(request.into)
      for (const [i, file] of request.files.entries()) pixels.fill(Number(file) & 255, i * 64, (i + 1) * 64)
      seen.underWay -= 1
      return { files: request.files.map(() => ({ kind: 'image', ...facts })), durationMs }
    },
  }
  return { decoders, seen }
}

async function* listOf(parts: Listed[][]): AsyncGenerator<Listed[]> {
  for (const part of parts) {
    await setImmediate()
    yield part
  }
}

describe('reading ahead', () => {
  it('answers in the order of the list, with the pixels of each file, in bounded memory', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(600), { maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        async (sizes, parallel, seed) => {
          let next = 0
          // Every seventh entry is not to be read and only keeps its place.
          const entry = (): Listed => ({ file: next++ % 7 === 3 ? null : String(next - 1) })
          const parts = sizes.map((size) => Array.from({ length: size }, entry))
          const delay = ({ files }: ReadRequest): number => (Number(files[0] ?? 0) * 31 + seed) % 5
          const { decoders, seen } = lateDecoders(parallel, delay)
          const got: Listed[] = []
          for await (const { entries, files, pixels } of readAhead(listOf(parts), decoders, settings)) {
            const names = entries.flatMap(({ file }) => (file === null ? [] : [Number(file) & 255]))
            expect(files).toHaveLength(names.length)
            expect(Array.from(names, (_, i) => pixels[i * 64 + 63])).toEqual(names)
            got.push(...entries)
          }
          expect(got).toEqual(parts.flat())
          expect(seen.most).toBeLessThanOrEqual(parallel + 2)
          expect(seen.memory.size).toBeLessThanOrEqual(parallel + 2)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('asks for few files at a time where they are slow', async () => {
    const most: number[] = []
    for (const durationMs of [1, 5000]) {
      const counts: number[] = []
      const delay = ({ files }: ReadRequest): number => counts.push(files.length) * 0
      const { decoders } = lateDecoders(1, delay, durationMs)
      const parts = [Array.from({ length: 2000 }, (_, i): Listed => ({ file: String(i) }))]
      for await (const answer of readAhead(listOf(parts), decoders, settings))
        expect(answer.files).toBeDefined()
      most.push(Math.max(...counts.slice(-10, -1)))
    }
    expect(most[0]).toBe(256)
    expect(most[1]).toBe(1)
  })

  it('waits for what was begun when the reader stops, and when a decoder fails', async () => {
    const parts = [Array.from({ length: 300 }, (_, i): Listed => ({ file: String(i) }))]
    const early = lateDecoders(2, () => 3)
    for await (const { files } of readAhead(listOf(parts), early.decoders, settings))
      if (files.length > 0) break
    expect(early.seen.underWay).toBe(0)

    const failing = lateDecoders(2, () => 3)
    let calls = 0
    const decoders: Decoders = {
      parallel: 2,
      read: (request) => (++calls === 2 ? Promise.reject(new Error('no')) : failing.decoders.read(request)),
    }
    const read = async (): Promise<void> => {
      for await (const answer of readAhead(listOf(parts), decoders, settings)) expect(answer).toBeDefined()
    }
    await expect(read()).rejects.toThrow('no')
    expect(failing.seen.underWay).toBe(0)
  })
})
