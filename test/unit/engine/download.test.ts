import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { download } from '#main/engine/tensorflow/download'
import { servePackage, temporaryFolder, wheelBytes } from './fake-wheel'

const quick = { expectedBytes: wheelBytes.length, attempts: 2, retryDelayMs: 1 }

describe('download', () => {
  test('goes on where each cut connection ended, and asks for nothing twice', async () => {
    const server = await servePackage({ cutAfter: [400_000, 300_000, 1] })
    const target = join(await temporaryFolder(), 'wheel')
    const seen: number[] = []
    await download(server.wheelUrl, target, { ...quick, onBytes: (done) => seen.push(done) })
    expect(Buffer.compare(await readFile(target), wheelBytes)).toBe(0)
    expect(server.ranges[0]).toBe('')
    expect(server.ranges.length).toBe(4)
    for (const range of server.ranges.slice(1)) expect(range).toMatch(/^bytes=\d+-$/)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(wheelBytes.length)
  })

  test('starts over where the server knows no ranges', async () => {
    const server = await servePackage({ ignoreRanges: true })
    const target = join(await temporaryFolder(), 'wheel')
    await writeFile(`${target}.part`, wheelBytes.subarray(0, 1000))
    await download(server.wheelUrl, target, quick)
    expect(Buffer.compare(await readFile(target), wheelBytes)).toBe(0)
    expect(server.ranges).toEqual(['bytes=1000-'])
  })

  test('needs no byte for a part file that is whole', async () => {
    const server = await servePackage()
    const target = join(await temporaryFolder(), 'wheel')
    await writeFile(`${target}.part`, wheelBytes)
    await download(server.wheelUrl, target, quick)
    expect(server.sentBytes).toBe(0)
  })

  test('a part file that is too long is thrown away', async () => {
    const server = await servePackage()
    const target = join(await temporaryFolder(), 'wheel')
    await writeFile(`${target}.part`, Buffer.concat([wheelBytes, Buffer.from('more')]))
    await download(server.wheelUrl, target, quick)
    expect(Buffer.compare(await readFile(target), wheelBytes)).toBe(0)
  })

  test('tries again after a server error, not after a refusal', async () => {
    const busy = await servePackage({ statuses: [503] })
    const target = join(await temporaryFolder(), 'wheel')
    await download(busy.wheelUrl, target, quick)
    expect(busy.ranges.length).toBe(2)

    const gone = await servePackage({ statuses: [404, 404, 404] })
    const other = join(await temporaryFolder(), 'wheel')
    await expect(download(gone.wheelUrl, other, quick)).rejects.toMatchObject({ code: 'disconnected' })
    expect(gone.ranges.length).toBe(1)
  })

  test('refuses a body that is longer than the file should be', async () => {
    const server = await servePackage({ body: Buffer.concat([wheelBytes, new Uint8Array(50_000)]) })
    const target = join(await temporaryFolder(), 'wheel')
    await expect(download(server.wheelUrl, target, quick)).rejects.toMatchObject({ code: 'disconnected' })
    await expect(readFile(target)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a folder that is not there is no reason to try again', async () => {
    const server = await servePackage()
    const target = join(await temporaryFolder(), 'missing', 'wheel')
    await expect(download(server.wheelUrl, target, quick)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(server.ranges.length).toBe(1)
  })
})
