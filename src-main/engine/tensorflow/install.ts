// Installs a TensorFlow engine: find, download, verify, unpack, compile, test, all in a staging folder that becomes
// the engine by one rename after its manifest was written. Every step can be cancelled; nothing half is ever used.
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, open, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pipeline } from 'node:stream/promises'
import { GyreError } from '#shared/contract/errors'
import { engineHome } from '../home'
import type { InstallOptions, InstallPhase } from '../types'
import { bindingFileName, bindingFiles, bindingHash, compileBinding, findCompiler } from './binding-source'
import { download, type DownloadOptions } from './download'
import { findWheel } from './find-wheel'
import {
  engineFolder,
  manifestFileName,
  readInstalled,
  stagingPrefix,
  type EngineManifest,
} from './installed'
import { acquireLock } from './lock'
import { probeBinding } from './probe'
import { unpackWheel } from './unpack'
import type { Variant } from './variants'

/** The steps that need a compiler or a real TensorFlow; tests of the others replace them. */
export interface InstallSteps {
  findCompiler: typeof findCompiler
  compileBinding: typeof compileBinding
  probeBinding: typeof probeBinding
  download: Pick<DownloadOptions, 'attempts' | 'retryDelayMs' | 'stallMs'>
  pollMs?: number
}

const realSteps: InstallSteps = { findCompiler, compileBinding, probeBinding, download: {} }

async function hashFile(
  path: string,
  onBytes?: (done: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  let done = 0
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async function (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk)
        done += chunk.length
        onBytes?.(done)
      }
    },
    { signal },
  )
  return hash.digest('hex')
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}

/** File errors as people should read them; anything else passes unchanged. */
function explain(error: unknown, home: string, signal?: AbortSignal): unknown {
  if (signal?.aborted)
    return new GyreError(
      'cancelled',
      'The installation was cancelled.',
      'What was downloaded is kept for the next time.',
    )
  const code = (error as NodeJS.ErrnoException).code
  if (error instanceof GyreError) return error
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new GyreError(
      'no-space',
      `There is no space left in ${home}.`,
      'Free 1.2 GB, or set GYRE_ENGINES to a folder on another drive.',
      { cause: error },
    )
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new GyreError(
      'permission',
      `Gyre may not write to ${home}.`,
      'Set GYRE_ENGINES to a folder that you may write to.',
      { cause: error },
    )
  if (code !== undefined)
    return new GyreError(
      'unreadable',
      `The engine could not be installed in ${home}: ${(error as Error).message}`,
      undefined,
      { cause: error },
    )
  return error
}

async function checkSpace(home: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(home)
  if (bavail * bsize >= neededBytes) return
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1)
  throw new GyreError(
    'no-space',
    `The engine needs ${gigabytes(neededBytes)} GB for a moment, and ${home} has ${gigabytes(bavail * bsize)} GB left.`,
    'Free some space, or set GYRE_ENGINES to a folder on another drive.',
  )
}

/** Installs `variant` and returns its folder. Returns at once where it is installed already. */
export async function installTensorFlow(
  variant: Variant,
  options: InstallOptions = {},
  steps: InstallSteps = realSteps,
): Promise<string> {
  const home = options.home ?? engineHome()
  const { signal, prebuiltBinding } = options
  const { wheel } = variant
  const report = (
    phase: InstallPhase,
    done: number,
    total: number,
    message: string,
    unit: 'bytes' | 'steps' = 'bytes',
  ): void => options.onProgress?.({ phase, done, total, unit, message })

  async function verify(path: string): Promise<void> {
    const say = (done: number): void => report('verify', done, wheel.sizeBytes, 'Checking the download')
    const found = await hashFile(path, say, signal)
    if (found !== wheel.sha256)
      throw new GyreError(
        'corrupt',
        `${basename(path)} is not the expected file: its SHA-256 is ${found}.`,
        `Gyre needs ${wheel.fileName}.`,
      )
  }

  async function fetchWheel(target: string): Promise<void> {
    report('find', 0, 1, 'Looking for the TensorFlow package', 'steps')
    const found = await findWheel(wheel, join(home, 'downloads', 'pip'), options.indexUrl, signal)
    if (found.url.startsWith('file:')) return copyFile(fileURLToPath(found.url), target)
    const say = (done: number): void => report('download', done, wheel.sizeBytes, 'Downloading TensorFlow')
    try {
      await download(found.url, target, {
        ...steps.download,
        expectedBytes: wheel.sizeBytes,
        onBytes: say,
        signal,
      })
    } catch (error) {
      const stopped = error instanceof GyreError && error.code === 'disconnected'
      // Something arrived: the way works, so the person tries again. Nothing did: pip may know a way (login, proxy).
      const arrived = await stat(`${target}.part`).then(
        (s) => s.size > 0,
        () => false,
      )
      if (!stopped || arrived || !found.fetchWithPip) throw error
      report('download', 0, 0, 'Downloading TensorFlow with pip')
      await found.fetchWithPip(target, signal)
    }
  }

  /** A wheel with the right SHA-256: the person's file, one that was downloaded before, or a fresh download. */
  async function obtainWheel(): Promise<string> {
    if (options.wheelFile !== undefined) {
      await verify(options.wheelFile)
      return options.wheelFile
    }
    const target = join(home, 'downloads', wheel.fileName)
    for (let attempt = 0; ; attempt++) {
      const present = await stat(target).then(
        () => true,
        () => false,
      )
      if (!present) await fetchWheel(target)
      try {
        await verify(target)
        return target
      } catch (error) {
        if (!(error instanceof GyreError && error.code === 'corrupt')) throw error
        await rm(target, { force: true })
        // An old part file may have been damaged on disk; a second, fresh download settles it.
        if (attempt > 0) throw error
      }
    }
  }

  async function build(staging: string, wheelFile: string, hash: string): Promise<void> {
    const include = join(staging, 'include')
    await unpackWheel(
      wheelFile,
      variant,
      staging,
      include,
      (done) => report('unpack', done, variant.unpackedBytes, 'Unpacking TensorFlow'),
      signal,
    )
    const binding = join(staging, bindingFileName)
    if (prebuiltBinding !== undefined) {
      for (const name of bindingFiles) await copyFile(join(prebuiltBinding, name), join(staging, name))
    } else {
      report('compile', 0, 1, 'Compiling the binding', 'steps')
      await steps.compileBinding(variant, staging, include, await steps.findCompiler(), signal)
    }
    await rm(include, { recursive: true, force: true })
    report('test', 0, 1, 'Testing the engine', 'steps')
    const version = await steps.probeBinding(binding, signal)
    const files: EngineManifest['files'] = {}
    for (const name of await readdir(staging)) {
      const path = join(staging, name)
      await syncPath(path)
      files[name] = { sizeBytes: (await stat(path)).size, sha256: await hashFile(path, undefined, signal) }
    }
    const manifest: EngineManifest = {
      schemaVersion: 1,
      id: variant.id,
      version,
      wheelSha256: wheel.sha256,
      bindingHash: hash,
      files,
    }
    await writeFile(join(staging, manifestFileName), `${JSON.stringify(manifest, null, 2)}\n`)
    await syncPath(join(staging, manifestFileName))
    await syncPath(staging)
    report('test', 1, 1, 'The engine works', 'steps')
  }

  let release: (() => Promise<void>) | undefined
  let staging: string | undefined
  try {
    signal?.throwIfAborted()
    const folder = await engineFolder(home, variant, prebuiltBinding)
    if (await readInstalled(folder, variant)) return folder
    // Asked before the download, so that nobody waits for 270 MB to hear that a compiler is missing.
    if (prebuiltBinding === undefined) await steps.findCompiler()
    await mkdir(join(home, 'downloads'), { recursive: true })
    const onWait = (): void =>
      report('wait', 0, 0, 'Another Gyre is installing this engine; waiting for it', 'steps')
    release = await acquireLock(home, { signal, onWait, pollMs: steps.pollMs })
    if (await readInstalled(folder, variant)) return folder
    // Only the holder of the lock installs, so every staging folder is what a killed installer left.
    for (const name of await readdir(home))
      if (name.startsWith(stagingPrefix)) await rm(join(home, name), { recursive: true, force: true })
    await checkSpace(home, variant.unpackedBytes + wheel.sizeBytes)
    const wheelFile = await obtainWheel()
    staging = join(home, `${stagingPrefix}${randomUUID()}`)
    await mkdir(staging)
    await build(staging, wheelFile, await bindingHash(variant, prebuiltBinding))
    await rm(folder, { recursive: true, force: true })
    await rename(staging, folder)
    await syncPath(home)
    if (wheelFile !== options.wheelFile) await rm(wheelFile, { force: true })
    return folder
  } catch (error) {
    throw explain(error, home, signal)
  } finally {
    if (staging !== undefined) await rm(staging, { recursive: true, force: true })
    await release?.()
  }
}
