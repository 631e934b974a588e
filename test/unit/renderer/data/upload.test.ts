import { contract } from '#shared/contract/index'
import { GyreError } from '#shared/contract/errors'
import { createClient } from '#shared/rpc/index'
import { describe, expect, it } from 'vitest'
import { firstNames, uploadFiles, type LocalFile } from '../../../../src-renderer/api/upload'
import { createFakeService } from '../../../support/fake-service'

const mebibyte = 1024 * 1024
const file = (path: string, size: number): LocalFile => ({
  path,
  file: new File([new Uint8Array(size)], path.split('/').at(-1) ?? path),
})

async function setup() {
  const service = createFakeService({ datasets: [] })
  const client = createClient(contract, await service.open())
  return { service, client }
}

describe('uploadFiles', () => {
  it('sends every byte of every file, in pieces, and ends as an import', async () => {
    const { service, client } = await setup()
    const seen: number[] = []
    const files = [file('a/large.png', 2.5 * mebibyte), file('b/small.png', 10), file('empty.png', 0)]
    const { jobId, unreadable } = await uploadFiles(client, 'mine', files, {
      signal: new AbortController().signal,
      onProgress: ({ sentBytes }) => seen.push(sentBytes),
    })
    expect(jobId).not.toBe('')
    expect(unreadable).toEqual([])
    expect(Object.fromEntries(service.uploaded)).toEqual({
      'a/large.png': 2.5 * mebibyte,
      'b/small.png': 10,
      'empty.png': 0,
    })
    expect(service.calls.filter((name) => name === 'datasets.uploadChunk')).toHaveLength(5)
    expect(seen.at(-1)).toBe(2.5 * mebibyte + 10)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
  })

  it('drops the upload when it is cancelled', async () => {
    const { service, client } = await setup()
    const controller = new AbortController()
    const files = Array.from({ length: 50 }, (_, i) => file(`${i}.png`, 100))
    await expect(
      uploadFiles(client, 'mine', files, {
        signal: controller.signal,
        onProgress: ({ files: done }) => done > 5 && controller.abort(),
      }),
    ).rejects.toMatchObject({ code: 'cancelled' })
    expect(service.calls).toContain('datasets.uploadCancel')
    expect(service.calls).not.toContain('datasets.uploadFinish')
    expect(service.uploaded.size).toBeLessThan(20)
  })

  it('names a file that can no longer be read and goes on', async () => {
    const { service, client } = await setup()
    const gone = file('gone.png', 10)
    gone.file.slice = () => {
      throw new DOMException('moved', 'NotFoundError')
    }
    const { unreadable } = await uploadFiles(client, 'mine', [gone, file('here.png', 10)], {
      signal: new AbortController().signal,
      onProgress: () => undefined,
    })
    expect(unreadable).toEqual(['gone.png'])
    expect([...service.uploaded.keys()]).toEqual(['here.png'])
  })

  it('names a file that the service refuses and goes on, and fails when none is left', async () => {
    const { service, client } = await setup()
    const datasets = {
      ...client.datasets,
      uploadChunk: (...call: Parameters<typeof client.datasets.uploadChunk>) => {
        if (call[0].path.includes('odd')) throw new GyreError('invalid-input', 'This name can’t be used.')
        return client.datasets.uploadChunk(...call)
      },
    }
    const send = (files: LocalFile[]): ReturnType<typeof uploadFiles> =>
      uploadFiles({ ...client, datasets }, 'mine', files, {
        signal: new AbortController().signal,
        onProgress: () => undefined,
      })
    const { unreadable } = await send([file('odd.png', 10), file('here.png', 10)])
    expect(unreadable).toEqual(['odd.png'])
    expect([...service.uploaded.keys()]).toEqual(['here.png'])
    await expect(send([file('odd.png', 10)])).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'No file of mine could be read.',
      hint: 'odd.png',
    })
  })
})

describe('firstNames', () => {
  it('lists five and counts the others', () => {
    expect(firstNames(['a', 'b'])).toBe('a, b')
    expect(firstNames(['1', '2', '3', '4', '5', '6', '7'])).toBe('1, 2, 3, 4, 5, and 2 more')
  })
})
