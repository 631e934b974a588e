// The desktop package, made for Linux as a folder around a stand-in for Electron's files: its layout, its
// fuses, and that what lies beside the archive is enough to train with.
import { getCurrentFuseWire, FuseState, FuseV1Options, FuseVersion } from '@electron/fuses'
import { execFile } from 'node:child_process'
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../../..')
const run = promisify(execFile)
let folder: string
let app: string

/** What the packager looks for in an unpacked Electron, with the mark in which fuses are set. */
async function writeElectron(target: string): Promise<void> {
  const mark = Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX')
  const fuses = Buffer.concat([mark, Buffer.from([1, 9]), Buffer.from('0'.repeat(9))])
  await mkdir(join(target, 'locales'), { recursive: true })
  await mkdir(join(target, 'resources'))
  await writeFile(join(target, 'electron'), fuses, { mode: 0o755 })
  for (const name of ['LICENSE', 'LICENSES.chromium.html', 'chrome-sandbox', 'locales/en-US.pak']) {
    await writeFile(join(target, name), '')
  }
}

interface Entry {
  files?: Record<string, Entry>
  unpacked?: boolean
}

/** The paths in an asar archive: four 32-bit numbers, the last the length of a JSON tree, then the tree. */
async function listArchive(path: string): Promise<Map<string, Entry>> {
  const bytes = await readFile(path)
  const tree = JSON.parse(bytes.toString('utf8', 16, 16 + bytes.readUInt32LE(12))) as Entry
  const found = new Map<string, Entry>()
  const walk = (entry: Entry, above: string): void => {
    for (const [name, child] of Object.entries(entry.files ?? {})) {
      found.set(`${above}/${name}`, child)
      walk(child, `${above}/${name}`)
    }
  }
  walk(tree, '')
  return found
}

describe.skipIf(process.platform !== 'linux')('the package (made on Linux only)', () => {
  beforeAll(async () => {
    await access(join(root, 'dist', 'main', 'shell.js')).catch(() => {
      throw new Error('dist/main/shell.js is missing: run `npm run build` first.')
    })
    folder = await mkdtemp(join(tmpdir(), 'gyre-package-'))
    const electron = join(folder, 'electron')
    await writeElectron(electron)
    const builder = join(root, 'node_modules', 'electron-builder', 'cli.js')
    const output = join(folder, 'out')
    const settings = [`-c.electronDist=${electron}`, `-c.directories.output=${output}`]
    await run(process.execPath, [builder, '--linux', 'dir', '--project', root, ...settings], { cwd: root })
    app = join(output, 'linux-unpacked')
  })

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('keeps the window in the archive and puts the trainer and the decoder beside it', async () => {
    const files = await listArchive(join(app, 'resources', 'app.asar'))
    for (const file of ['/dist/preload/preload.cjs', '/dist/renderer/index.html']) {
      expect(files.get(file)).toMatchObject({ size: expect.any(Number) as number })
      expect(files.get(file)?.unpacked).toBeUndefined()
    }
    for (const file of [
      '/package.json',
      ...['shell', 'trainer', 'decoder', 'batches'].map((name) => `/dist/main/${name}.js`),
    ]) {
      expect(files.get(file)?.unpacked).toBe(true)
      await access(join(app, 'resources', 'app.asar.unpacked', file))
    }
    // The engine is compiled from these on the user's machine.
    const sources = (await readdir(join(root, 'resources', 'native'))).sort()
    expect(sources).toContain('gyre_graph.cpp')
    const packaged = await readdir(join(app, 'resources', 'app.asar.unpacked', 'resources', 'native'))
    expect(packaged.sort()).toEqual(sources)
    const webGpu = [...files.keys()].filter((file) => file.startsWith('/node_modules/webgpu/dist/'))
    const own = `/node_modules/webgpu/dist/linux-${process.arch}/`
    expect(webGpu.some((file) => file.startsWith(own) && file.endsWith('.node'))).toBe(true)
    expect(webGpu.filter((file) => !file.startsWith(own) && !own.startsWith(file))).toEqual([])
    const strays = [...files.keys()].filter((file) => /\.(map|ts)$|^\/(src-|test|\.git)/.test(file))
    expect(strays).toEqual([])
  })

  it('sets its fuses', async () => {
    const wire = await getCurrentFuseWire(join(app, 'gyre'))
    expect(wire.version).toBe(FuseVersion.V1)
    const on = [
      FuseV1Options.EnableCookieEncryption,
      FuseV1Options.EnableEmbeddedAsarIntegrityValidation,
      FuseV1Options.OnlyLoadAppFromAsar,
    ]
    const off = [
      FuseV1Options.RunAsNode,
      FuseV1Options.EnableNodeOptionsEnvironmentVariable,
      FuseV1Options.EnableNodeCliInspectArguments,
      FuseV1Options.GrantFileProtocolExtraPrivileges,
    ]
    expect(on.map((fuse) => wire[fuse])).toEqual(on.map(() => FuseState.ENABLE))
    expect(off.map((fuse) => wire[fuse])).toEqual(off.map(() => FuseState.DISABLE))
  })

  it('brings the sample images with their licence', async () => {
    expect(await readdir(join(app, 'resources', 'sample'))).toHaveLength(3786)
    expect(await readFile(join(app, 'resources', 'sample-licence.txt'), 'utf8')).not.toBe('')
  })

  it('can train with what lies beside the archive', async () => {
    const unpacked = join(app, 'resources', 'app.asar.unpacked')
    // Outside the repository, so that nothing is found there by accident.
    expect(resolve(unpacked).startsWith(root)).toBe(false)
    const images = join(folder, 'images')
    await mkdir(images)
    const samples = (await readdir(join(app, 'resources', 'sample'))).slice(0, 40)
    for (const name of samples) await copyFile(join(app, 'resources', 'sample', name), join(images, name))
    const cli = join(unpacked, 'dist', 'main', 'cli.js')
    const wish = ['--engine', 'wasm', '--steps', '2', '--set', 'batchSize=4', '--json']
    const { stdout } = await run(process.execPath, [cli, 'train', '--data', images, ...wish], {
      env: { ...process.env, GYRE_HOME: join(folder, 'library') },
    })
    expect(JSON.parse(stdout)).toMatchObject({ step: 2 })
  })
})
