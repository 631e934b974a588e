// Importing, uploading and looking at datasets through the service, on real files.
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GyreClient } from '#shared/contract/index'
import { copyEmoji, emojiFolder } from '../../support/sample'
import { importFolder, jobDone, openService, type Opened } from './open-service'

let root: string
let images: string
let names: string[]
let opened: Opened
let client: GyreClient

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-datasets-'))
  images = join(root, 'Mes images')
  names = await copyEmoji(images, 12)
  await writeFile(join(images, 'notes.txt'), 'not an image')
  opened = await openService(join(root, 'library'))
  client = opened.attach()
})
afterAll(async () => {
  await opened.close()
  await rm(root, { recursive: true, force: true })
})

describe('a folder', () => {
  it('is imported in place, with a report of what is not used', async () => {
    const id = await importFolder(client, images)
    expect(id).toMatch(/^mes-images-/)
    const dataset = await client.datasets.get({ id })
    expect(dataset).toMatchObject({ kind: 'folder', source: images, imageCount: 12, skippedCount: 1 })
    const { items } = await client.datasets.skipped({ id, offset: 0, limit: 10 })
    expect(items).toMatchObject([{ file: 'notes.txt', reason: 'not-an-image' }])
    expect((await readdir(images)).sort()).toEqual([...names, 'notes.txt'].sort())
  })

  it('keeps its id when it is imported again, and is up to date then', async () => {
    const id = await importFolder(client, images)
    const [extra = ''] = (await readdir(emojiFolder)).filter((name) => !names.includes(name))
    await copyFile(join(emojiFolder, extra), join(images, extra))
    expect(await importFolder(client, `${images}/.`)).toBe(id)
    expect((await client.datasets.get({ id })).imageCount).toBe(13)
    expect((await client.datasets.list()).filter(({ kind }) => kind === 'folder')).toHaveLength(1)
    await rm(join(images, extra))
    await importFolder(client, images)
  })

  it('shows thumbnails, gaps where files have gone, and what the model would see', async () => {
    const id = await importFolder(client, images)
    const { items } = await client.datasets.items({ id, offset: 0, limit: 100 })
    const gone = items.findIndex(({ file }) => file === names[3])
    await rm(join(images, names[3] ?? ''))
    const thumbnails = await client.datasets.thumbnails({ id, indices: [gone, 0], size: 32 })
    expect(thumbnails[0]).toBeNull()
    expect(await sharp(thumbnails[1] ?? undefined).metadata()).toMatchObject({ width: 32, format: 'png' })
    const transform = { imageSize: 16, resize: 'crop', background: '#ffffff', channelsIn: 3 } as const
    const seen = await client.datasets.preview({ id, index: 0, transform })
    expect(await sharp(seen).metadata()).toMatchObject({ width: 16, height: 16 })
    await expect(client.datasets.preview({ id, index: 999, transform })).rejects.toMatchObject({
      code: 'not-found',
    })
  })

  it('is refused when it is not there or not a folder', async () => {
    for (const path of [join(root, 'nowhere'), join(images, 'notes.txt')])
      await expect(client.datasets.importFolder({ path })).rejects.toThrow(/folder/)
  })

  it('stays untouched when its dataset is removed', async () => {
    const id = await importFolder(client, images)
    await client.datasets.rename({ id, name: 'Renamed' })
    expect(await client.datasets.get({ id })).toMatchObject({ name: 'Renamed' })
    const before = await readdir(images)
    await client.datasets.remove({ id })
    expect(await client.datasets.list()).toEqual([])
    expect(await readdir(images)).toEqual(before)
    expect(await readdir(join(root, 'library', 'datasets'))).toEqual([])
  })
})

describe('an upload', () => {
  it('becomes a copy in the library', async () => {
    const { uploadId } = await client.datasets.uploadBegin({ name: 'Dropped' })
    const used = names.filter((name) => name !== names[3])
    for (const name of used) {
      const data = new Uint8Array(await readFile(join(images, name)))
      const half = Math.floor(data.length / 2)
      const path = `cats/${name}`
      await client.datasets.uploadChunk({ uploadId, path, offset: 0, data: data.slice(0, half) })
      await client.datasets.uploadChunk({ uploadId, path, offset: half, data: data.slice(half) })
    }
    const { jobId } = await client.datasets.uploadFinish({ uploadId })
    const id = (await jobDone(client, jobId)).datasetId ?? ''
    expect(await client.datasets.get({ id })).toMatchObject({
      ...{ name: 'Dropped', kind: 'copy', source: 'files', imageCount: used.length },
      labels: { cats: used.length },
    })
    const [thumbnail] = await client.datasets.thumbnails({ id, indices: [0], size: 16 })
    expect(thumbnail).not.toBeNull()
    expect(await readdir(join(root, 'library', 'uploads'))).toEqual([])
  })

  it('leaves nothing when it is cancelled or tries to get out', async () => {
    const { uploadId } = await client.datasets.uploadBegin({ name: 'Evil' })
    const data = new Uint8Array([1, 2, 3])
    for (const path of ['../../settings.json', '/tmp/x', 'a/../../../x'])
      await expect(client.datasets.uploadChunk({ uploadId, path, offset: 0, data })).rejects.toMatchObject({
        code: 'invalid-input',
      })
    await client.datasets.uploadChunk({ uploadId, path: 'a.png', offset: 0, data })
    await client.datasets.uploadCancel({ uploadId })
    expect(await readdir(join(root, 'library', 'uploads'))).toEqual([])
  })

  it('of nothing but broken files still gives a report', async () => {
    const { uploadId } = await client.datasets.uploadBegin({ name: 'Broken' })
    await client.datasets.uploadChunk({ uploadId, path: 'a.png', offset: 0, data: new Uint8Array([1]) })
    const { jobId } = await client.datasets.uploadFinish({ uploadId })
    const id = (await jobDone(client, jobId)).datasetId ?? ''
    expect(await client.datasets.get({ id })).toMatchObject({ imageCount: 0, skippedCount: 1 })
    await expect(client.runs.create({ datasetId: id, config: {} })).rejects.toThrow('no usable image')
  })
})

it('two services that import one folder at the same time make one dataset between them', async () => {
  await mkdir(join(root, 'shared'), { recursive: true })
  await copyEmoji(join(root, 'shared'), 10)
  const other = await openService(join(root, 'library'))
  const [a, b] = await Promise.all([
    importFolder(client, join(root, 'shared')),
    importFolder(other.attach(), join(root, 'shared')),
  ])
  expect(a).toBe(b)
  expect((await client.datasets.get({ id: a })).imageCount).toBe(10)
  await other.close()
})
