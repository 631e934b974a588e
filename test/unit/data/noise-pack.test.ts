// A pack of noise is a pack like any other: it opens, has as many images as asked for, and they differ.
import { expect, test } from 'vitest'
import { openPack, writeNoisePack } from '#main/data/index'
import { withFolder } from '../../support/folders'

const transform = { imageSize: 512, resize: 'crop', background: '#ffffff', channelsIn: 3 } as const

test('more images than one shard holds', async () => {
  await withFolder(async (folder) => {
    const pack = openPack(await writeNoisePack(folder, 90, transform))
    try {
      expect(pack.info).toMatchObject({ count: 90, imageSize: 512, channels: 3, missing: [] })
      expect(new Set(pack.files()).size).toBe(90)
      const size = 512 * 512 * 3
      const out = new Uint8Array(3 * size)
      pack.read([0, 1, 89], out)
      const [first, second, last] = [0, 1, 2].map((n) => out.subarray(n * size, (n + 1) * size))
      expect(first).not.toEqual(second)
      expect(last).not.toEqual(first)
      // Noise: every byte occurs about as often.
      const counts = new Array<number>(256).fill(0)
      for (const byte of first ?? []) counts[byte] = (counts[byte] ?? 0) + 1
      expect(Math.min(...counts)).toBeGreaterThan(0.9 * (size / 256))
    } finally {
      pack.close()
    }
  })
})
