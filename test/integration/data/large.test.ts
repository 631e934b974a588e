// Packs of more than one shard, and memory that does not grow with the set.
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { importDataset, openPack, packDataset } from '#main/data/index'
import { withFolder } from '../../support/folders'
import { writePng } from '../../support/png'

const transform: Transform = { imageSize: 512, resize: 'stretch', background: '#ffffff', channelsIn: 3 }

describe('a large pack', () => {
  it('has shards of at most 64 MB, in order, and any image is found in them', async () => {
    await withFolder(async (folder) => {
      const source = join(folder, 'source')
      await mkdir(source)
      const count = 200
      for (let i = 0; i < count; i++) {
        const name = `${String(i).padStart(3, '0')}.png`
        await writeFile(
          join(source, name),
          writePng({ width: 2, height: 2, colour: 'grey' }, () => i),
        )
      }
      const datasetFolder = join(folder, 'set')
      await importDataset({ datasetFolder, source, kind: 'folder', id: 'set', name: 'Set' })
      const packFolder = await packDataset({ datasetFolder, transform })
      const shards = (await readdir(packFolder)).filter((name) => name.endsWith('.bin'))
      expect(shards.length).toBe(3)
      let sizeBytes = 0
      for (const shard of shards) {
        const { size } = await stat(join(packFolder, shard))
        expect(size).toBeLessThanOrEqual(64 * 1024 ** 2)
        sizeBytes += size
      }
      expect(sizeBytes).toBe(count * 512 * 512 * 3)

      const pack = openPack(packFolder)
      const order = Array.from({ length: count }, (_, i) => (i * 77) % count)
      const out = new Uint8Array(512 * 512 * 3)
      for (const i of order) {
        await pack.readAsync([i], out)
        expect([out[0], out[out.length - 1]]).toEqual([i, i])
      }
      pack.close()
    })
  })
})
