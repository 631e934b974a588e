import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Transform } from '#shared/contract/common'
import { cropPatch, openScan, preview, sampleFolder, thumbnail } from '#main/data/index'
import { withFolder } from '../../support/folders'
import { writePng } from '../../support/png'

const transform: Transform = { imageSize: 32, resize: 'crop', background: '#ffffff', channelsIn: 3 }
/** Each pixel says where it is. */
const whereabouts = (x: number, y: number, c: number): number => [x * 8, y * 8, 100][c] ?? 0

async function withImage(work: (path: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, 'image.png')
    await writeFile(path, writePng({ width: 32, height: 32, colour: 'rgb' }, whereabouts))
    await work(path)
  })
}

async function decoded(png: Uint8Array) {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true })
  return {
    width: info.width,
    height: info.height,
    at: (x: number, y: number) => [
      ...data.subarray((y * info.width + x) * info.channels).subarray(0, info.channels),
    ],
  }
}

describe('the patch behind a token', () => {
  it('is the token with its surroundings, enlarged without smoothing', async () => {
    await withImage(async (path) => {
      const tokens = [8, 8] as const // 4×4 pixels a token
      const patch = await decoded(await cropPatch({ path, transform, row: 3, column: 5, tokens, margin: 1 }))
      const scale = 8 // 12 pixels become 96
      expect([patch.width, patch.height]).toEqual([12 * scale, 12 * scale])
      for (const [x, y] of [
        [0, 0],
        [4, 4],
        [7, 5],
        [11, 11],
      ] as const) {
        const pixel = [0, 1, 2].map((c) => whereabouts(5 * 4 - 4 + x, 3 * 4 - 4 + y, c))
        expect(patch.at(x * scale, y * scale)).toEqual([...pixel, 255])
        expect(patch.at(x * scale + scale - 1, y * scale + scale - 1)).toEqual([...pixel, 255])
      }
    })
  })

  it('has the token in its middle at the border too, with nothing outside', async () => {
    await withImage(async (path) => {
      const options = { path, transform, tokens: [8, 8], margin: 1 } as const
      const first = await decoded(await cropPatch({ ...options, row: 0, column: 0 }))
      expect(first.at(0, 0)[3]).toBe(0)
      expect(first.at(40, 40)).toEqual([8, 8, 100, 255])
      const last = await decoded(await cropPatch({ ...options, row: 7, column: 7 }))
      expect(last.at(95, 95)[3]).toBe(0)
      await expect(cropPatch({ ...options, row: 8, column: 0 })).rejects.toMatchObject({
        code: 'invalid-input',
      })
    })
  })

  it('of a grey model is grey', async () => {
    await withImage(async (path) => {
      const grey: Transform = { ...transform, channelsIn: 1 }
      const patch = await decoded(
        await cropPatch({ path, transform: grey, row: 2, column: 2, tokens: [4, 4], margin: 0 }),
      )
      const [red, green, blue, alpha] = patch.at(50, 50)
      expect([green, blue, alpha]).toEqual([red, red, 255])
    })
  })
})

describe('pictures of a source image', () => {
  it('show it as the model sees it, and small', async () => {
    await withImage(async (path) => {
      const seen = await decoded(await preview(path, transform))
      expect([seen.width, seen.at(9, 30)]).toEqual([32, [72, 240, 100]])
      expect((await decoded(await preview(path, { ...transform, channelsIn: 1 }))).width).toBe(32)
      expect((await decoded(await thumbnail(path, 16))).width).toBe(16)
    })
  })

  it('say when the file is gone or no image', async () => {
    await withFolder(async (folder) => {
      await expect(thumbnail(join(folder, 'gone.png'), 64)).rejects.toMatchObject({ code: 'not-found' })
      await writeFile(join(folder, 'text.png'), 'text')
      await expect(preview(join(folder, 'text.png'), transform)).rejects.toMatchObject({ code: 'unreadable' })
    })
  })
})

describe('the sample images', () => {
  it('are 3,786 usable files with their licences named', async () => {
    const { folder, licence } = sampleFolder()
    expect(licence).toMatch(/Apache License 2\.0.*MIT/)
    let items = 0
    for await (const { results } of (await openScan(folder)).parts()) {
      for (const found of results)
        if (found.kind === 'item' && found.item.width === 64 && found.item.height === 64) items += 1
    }
    expect(items).toBe(3786)
  })
})
