import { spawnSync } from 'node:child_process'
import { appendFile, mkdir, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { installTensorFlow, type InstallSteps } from '#main/engine/tensorflow/install'
import { engineFolder, readInstalled } from '#main/engine/tensorflow/installed'
import type { InstallProgress } from '#main/engine/types'
import { fakeSteps, libraryBytes, servePackage, temporaryFolder, variant, wheelBytes } from './fake-wheel'

const partName = `${variant.wheel.fileName}.part`
const names = async (folder: string): Promise<string[]> => (await readdir(folder)).sort()
/** A folder with the wheel, as a person would have it. */
async function pickedWheel(): Promise<string> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, variant.wheel.fileName), wheelBytes)
  return folder
}
const failWith = (code: string): Partial<InstallSteps> => ({
  compileBinding: () => Promise.reject(Object.assign(new Error(code), { code, syscall: 'write' })),
})

describe('installing an engine', () => {
  test('finds, downloads, checks, unpacks, compiles, tests, and leaves only the engine', async () => {
    const server = await servePackage()
    const home = await temporaryFolder()
    const phases: string[] = []
    const onProgress = ({ phase, done, total }: InstallProgress): void => {
      if (phases.at(-1) !== phase) phases.push(phase)
      if (phase === 'download') expect(done).toBeLessThanOrEqual(total)
    }
    const folder = await installTensorFlow(
      variant,
      { home, indexUrl: server.indexUrl, onProgress },
      fakeSteps,
    )
    expect(phases).toEqual(['find', 'download', 'verify', 'unpack', 'compile', 'test'])
    expect(Buffer.compare(await readFile(join(folder, 'libtensorflow_cc.so.2')), libraryBytes)).toBe(0)
    expect(await names(folder)).toEqual([
      'gyre_graph.node',
      'gyre_quiet.node',
      'libtensorflow_cc.so.2',
      'libtensorflow_framework.so.2',
      'manifest.json',
      'tfjs_binding.node',
    ])
    expect(await readInstalled(folder, variant)).toMatchObject({
      version: '0.0.1',
      wheelSha256: variant.wheel.sha256,
    })
    expect((await names(home)).filter((name) => name !== 'downloads')).toHaveLength(1)
    expect(await names(join(home, 'downloads'))).toEqual([])
    // Installed once: nothing is asked of the server again.
    await installTensorFlow(variant, { home, indexUrl: server.indexUrl }, fakeSteps)
    expect(server.ranges).toHaveLength(1)
  })

  test('a connection that is lost for good keeps what arrived; the next try goes on from there', async () => {
    const home = await temporaryFolder()
    const poor = await servePackage({ cutAfter: [600_000, 0, 0, 0] })
    const first = installTensorFlow(variant, { home, indexUrl: poor.indexUrl }, fakeSteps)
    await expect(first).rejects.toMatchObject({ code: 'disconnected' })
    const { size } = await stat(join(home, 'downloads', partName))
    expect(size).toBeGreaterThan(0)
    const good = await servePackage()
    await installTensorFlow(variant, { home, indexUrl: good.indexUrl }, fakeSteps)
    expect(good.ranges).toEqual([`bytes=${size}-`])
    expect(good.sentBytes).toBe(wheelBytes.length - size)
  })

  test('a file with another SHA-256 is never used', async () => {
    const home = await temporaryFolder()
    const other = Uint8Array.from(wheelBytes)
    other[500_000] = (other[500_000] ?? 0) ^ 1
    const server = await servePackage({ body: other })
    const install = installTensorFlow(variant, { home, indexUrl: server.indexUrl }, fakeSteps)
    await expect(install).rejects.toMatchObject({ code: 'corrupt' })
    expect(await names(home)).toEqual(['downloads'])
    expect(await names(join(home, 'downloads'))).toEqual([])
  })

  test('a damaged part file costs a second download, not the installation', async () => {
    const home = await temporaryFolder()
    await mkdir(join(home, 'downloads'))
    await writeFile(join(home, 'downloads', partName), new Uint8Array(700_000))
    const server = await servePackage()
    const folder = await installTensorFlow(variant, { home, indexUrl: server.indexUrl }, fakeSteps)
    expect(server.ranges).toEqual(['bytes=700000-', ''])
    expect(await readInstalled(folder, variant)).not.toBeNull()
  })

  test('cancelling keeps the download and nothing else', async () => {
    const home = await temporaryFolder()
    const server = await servePackage()
    const controller = new AbortController()
    const onProgress = ({ phase, done }: InstallProgress): void => {
      if (phase === 'download' && done > 0) controller.abort()
    }
    const options = { home, indexUrl: server.indexUrl, onProgress, signal: controller.signal }
    await expect(installTensorFlow(variant, options, fakeSteps)).rejects.toMatchObject({ code: 'cancelled' })
    expect(await names(home)).toEqual(['downloads'])
    expect(await names(join(home, 'downloads'))).toEqual([partName])
  })

  test('cancelling while it unpacks leaves no staging folder', async () => {
    const home = await temporaryFolder()
    const server = await servePackage()
    const controller = new AbortController()
    const onProgress = ({ phase }: InstallProgress): void => {
      if (phase === 'unpack') controller.abort()
    }
    const options = { home, indexUrl: server.indexUrl, onProgress, signal: controller.signal }
    await expect(installTensorFlow(variant, options, fakeSteps)).rejects.toMatchObject({ code: 'cancelled' })
    expect(await names(home)).toEqual(['downloads'])
  })

  test('a wheel file that the person picked is used and kept', async () => {
    const home = await temporaryFolder()
    const wheelFolder = await pickedWheel()
    const wheelFile = join(wheelFolder, variant.wheel.fileName)
    const folder = await installTensorFlow(variant, { home, wheelFolder }, fakeSteps)
    expect(await readInstalled(folder, variant)).not.toBeNull()
    expect((await stat(wheelFile)).size).toBe(wheelBytes.length)
    await appendFile(wheelFile, 'x')
    const again = installTensorFlow(variant, { home: await temporaryFolder(), wheelFolder }, fakeSteps)
    await expect(again).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('a binding compiled beforehand needs no compiler', async () => {
    const home = await temporaryFolder()
    const prebuiltBinding = await temporaryFolder()
    await fakeSteps.compileBinding(variant, prebuiltBinding, '', '')
    const wheelFolder = await pickedWheel()
    const findCompiler = (): Promise<string> => Promise.reject(new Error('asked for a compiler'))
    const folder = await installTensorFlow(
      variant,
      { home, wheelFolder, prebuiltBinding },
      { ...fakeSteps, findCompiler, compileBinding: () => Promise.reject(new Error('compiled')) },
    )
    expect(await readFile(join(folder, 'tfjs_binding.node'), 'utf8')).toBe('binding')
  })

  test('without a compiler it says so before it downloads anything', async () => {
    const server = await servePackage()
    const findCompiler = (): Promise<string> => Promise.reject(new Error('no compiler'))
    const options = { home: await temporaryFolder(), indexUrl: server.indexUrl }
    const install = installTensorFlow(variant, options, { ...fakeSteps, findCompiler })
    await expect(install).rejects.toThrow('no compiler')
    expect(server.ranges).toEqual([])
  })
})

describe('half an engine', () => {
  test('is not installed, whichever file is missing or cut', async () => {
    const home = await temporaryFolder()
    const wheelFolder = await pickedWheel()
    const install = (): Promise<string> => installTensorFlow(variant, { home, wheelFolder }, fakeSteps)
    for (const name of await names(await install())) {
      const folder = await install()
      await rm(join(folder, name))
      expect(await readInstalled(folder, variant), `without ${name}`).toBeNull()
      await install()
      await truncate(join(folder, name), 3)
      expect(await readInstalled(folder, variant), `${name} cut`).toBeNull()
    }
    expect(await readInstalled(await install(), variant)).not.toBeNull()
  })

  test('what a killed installer left is swept by the next one', async () => {
    const home = await temporaryFolder()
    const server = await servePackage()
    await mkdir(join(home, '.staging-killed'), { recursive: true })
    await writeFile(join(home, '.staging-killed', 'libtensorflow_cc.so.2'), 'half')
    const folder = await engineFolder(home, variant)
    await mkdir(folder)
    await writeFile(join(folder, 'libtensorflow_cc.so.2'), libraryBytes)
    expect(await installTensorFlow(variant, { home, indexUrl: server.indexUrl }, fakeSteps)).toBe(folder)
    expect((await names(home)).filter((name) => name.startsWith('.'))).toEqual([])
    expect(await readInstalled(folder, variant)).not.toBeNull()
  })

  test.each([
    ['ENOSPC', 'no-space'],
    ['EACCES', 'permission'],
    ['EIO', 'unreadable'],
  ])('%s while building is told as %s and leaves nothing', async (errno, code) => {
    const home = await temporaryFolder()
    const wheelFolder = await pickedWheel()
    const install = installTensorFlow(variant, { home, wheelFolder }, { ...fakeSteps, ...failWith(errno) })
    await expect(install).rejects.toMatchObject({ code })
    expect(await names(home)).toEqual(['downloads'])
  })

  test('too little space is told before the download', async () => {
    const server = await servePackage()
    const options = { home: await temporaryFolder(), indexUrl: server.indexUrl }
    const huge = { ...variant, unpackedBytes: 1e18 }
    await expect(installTensorFlow(huge, options, fakeSteps)).rejects.toMatchObject({ code: 'no-space' })
    expect(server.ranges).toEqual([])
  })

  test('a home that cannot be a folder', async () => {
    const file = join(await temporaryFolder(), 'file')
    await writeFile(file, '')
    const install = installTensorFlow(variant, { home: join(file, 'engines') }, fakeSteps)
    await expect(install).rejects.toMatchObject({ code: 'unreadable' })
  })
})

describe('two installers', () => {
  test('the second waits for the first and downloads nothing', async () => {
    const home = await temporaryFolder()
    const server = await servePackage()
    const options = { home, indexUrl: server.indexUrl }
    const folders = await Promise.all([1, 2, 3].map(() => installTensorFlow(variant, options, fakeSteps)))
    expect(new Set(folders).size).toBe(1)
    expect(server.ranges).toHaveLength(1)
    expect((await names(home)).filter((name) => name.includes('lock'))).toEqual([])
  })

  test('the lock of a dead process is taken over', async () => {
    const home = await temporaryFolder()
    const server = await servePackage()
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    await writeFile(join(home, 'install.lock'), `${pid}\nits-token\n`)
    const phases = new Set<string>()
    const options = {
      home,
      indexUrl: server.indexUrl,
      onProgress: (p: InstallProgress) => void phases.add(p.phase),
    }
    await installTensorFlow(variant, options, fakeSteps)
    expect(phases).not.toContain('wait')
  })

  test('a living owner is waited for, and waiting can be cancelled', async () => {
    const home = await temporaryFolder()
    const server = await servePackage()
    const lock = join(home, 'install.lock')
    await writeFile(lock, `${process.ppid}\nits-token\n`)
    const controller = new AbortController()
    const cancelled = installTensorFlow(
      variant,
      { home, indexUrl: server.indexUrl, signal: controller.signal, onProgress: () => controller.abort() },
      fakeSteps,
    )
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
    expect(await readFile(lock, 'utf8')).toContain('its-token')

    let told = 0
    const onProgress = ({ phase }: InstallProgress): void => {
      if (phase !== 'wait') return
      told += 1
      void rm(lock)
    }
    await installTensorFlow(variant, { home, indexUrl: server.indexUrl, onProgress }, fakeSteps)
    expect(told).toBe(1)
  })
})
