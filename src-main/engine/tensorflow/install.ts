// Installs a TensorFlow engine: find, download, verify, unpack, compile, test, all in a staging folder that becomes
// the engine by one rename after its manifest was written. Every step can be cancelled; nothing half is ever used.
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import { engineHome } from '../home'
import type { InstallOptions, InstallPhase } from '../types'
import { bindingFileName, bindingFiles, bindingHash, compileBinding, findCompiler } from './binding-source'
import type { DownloadOptions } from './download'
import { fetchWheels, missingBytes, type FetchedWheel, type FetchOptions } from './fetch'
import { hashFile, listTree, syncPath } from './files'
import {
  engineFolder,
  manifestFileName,
  readInstalled,
  stagingPrefix,
  sweepStaging,
  type EngineManifest,
} from './installed'
import { acquireLock } from './lock'
import { probeBinding } from './probe'
import { unpackWheel } from './unpack'
import { wheelsOf, type Variant } from './variants'

/** The steps that need a compiler or a real TensorFlow; tests of the others replace them. */
export interface InstallSteps {
  findCompiler: typeof findCompiler
  compileBinding: typeof compileBinding
  probeBinding: typeof probeBinding
  download: Pick<DownloadOptions, 'attempts' | 'retryDelayMs' | 'stallMs'>
  pollMs?: number
}

const realSteps: InstallSteps = { findCompiler, compileBinding, probeBinding, download: {} }

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
const elsewhere = 'set GYRE_ENGINES to a folder on another drive'

/** File errors as people should read them; anything else passes unchanged. */
function explain(error: unknown, home: string, neededBytes: number, signal?: AbortSignal): unknown {
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
      `Free ${gigabytes(neededBytes)}, or ${elsewhere}.`,
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
  throw new GyreError(
    'no-space',
    `The engine needs ${gigabytes(neededBytes)} for a moment, and ${home} has ${gigabytes(bavail * bsize)} left.`,
    `Free some space, or ${elsewhere}.`,
  )
}

/** Installs `variant` and returns its folder. Returns at once where it is installed already. */
export async function installTensorFlow(
  variant: Variant,
  options: InstallOptions = {},
  steps: InstallSteps = realSteps,
): Promise<string> {
  const home = options.home ?? engineHome()
  const { signal, prebuiltBinding, wheelFolder, indexUrl } = options
  const wheels = wheelsOf(variant)
  const report = (
    phase: InstallPhase,
    done: number,
    total: number,
    message: string,
    unit: 'bytes' | 'steps' = 'steps',
  ): void => options.onProgress?.({ phase, done, total, unit, message })
  const fetching: FetchOptions = {
    ...{ wheelFolder, indexUrl, signal, download: steps.download },
    downloads: join(home, 'downloads'),
    onProgress: ({ phase, done, total, message }) => report(phase, done, total, message, 'bytes'),
  }

  async function unpack(staging: string, fetched: FetchedWheel[]): Promise<EngineManifest['files']> {
    const folder = { folder: staging, includeFolder: join(staging, 'include') }
    let done = 0
    const count = (bytes: number): void => {
      done += bytes
      report('unpack', done, variant.unpackedBytes, 'Unpacking TensorFlow', 'bytes')
    }
    const files: EngineManifest['files'] = {}
    for (const { wheel, path } of fetched)
      Object.assign(files, await unpackWheel(path, wheel, variant, folder, count, signal))
    return files
  }

  /** Compiles or copies the native parts, and gives what came of them. */
  async function addBinding(staging: string): Promise<EngineManifest['files']> {
    const folder = join(staging, variant.libraryFolder)
    if (prebuiltBinding !== undefined) {
      for (const name of bindingFiles) await copyFile(join(prebuiltBinding, name), join(folder, name))
    } else {
      report('compile', 0, 1, 'Compiling the binding')
      await steps.compileBinding(
        variant,
        folder,
        join(staging, 'include'),
        await steps.findCompiler(),
        signal,
      )
    }
    await rm(join(staging, 'include'), { recursive: true, force: true })
    const files: EngineManifest['files'] = {}
    for (const name of bindingFiles) {
      const path = join(folder, name)
      const sha256 = await hashFile(path, undefined, signal)
      files[join(variant.libraryFolder, name)] = { sizeBytes: (await stat(path)).size, sha256 }
    }
    return files
  }

  async function build(staging: string, fetched: FetchedWheel[], hash: string): Promise<void> {
    const files = { ...(await unpack(staging, fetched)), ...(await addBinding(staging)) }
    report('test', 0, 1, 'Testing the engine')
    const version = await steps.probeBinding(join(staging, variant.libraryFolder, bindingFileName), signal)
    const manifest: EngineManifest = {
      schemaVersion: 1,
      id: variant.id,
      version,
      wheelSha256: variant.wheel.sha256,
      bindingHash: hash,
      files,
    }
    await writeFile(join(staging, manifestFileName), `${JSON.stringify(manifest, null, 2)}\n`)
    const tree = await listTree(staging)
    for (const name of [...tree.files, ...tree.folders, '.']) await syncPath(join(staging, name))
    report('test', 1, 1, 'The engine works')
  }

  let release: (() => Promise<void>) | undefined
  let staging: string | undefined
  let neededBytes = variant.unpackedBytes
  try {
    signal?.throwIfAborted()
    const folder = await engineFolder(home, variant, prebuiltBinding)
    if (await readInstalled(folder, variant)) return folder
    // Asked before the download, so that nobody waits for it to hear that a compiler is missing.
    if (prebuiltBinding === undefined) await steps.findCompiler()
    await mkdir(fetching.downloads, { recursive: true })
    const onWait = (): void => report('wait', 0, 0, 'Another Gyre is installing this engine; waiting for it')
    release = await acquireLock(home, { signal, onWait, pollMs: steps.pollMs })
    if (await readInstalled(folder, variant)) return folder
    await sweepStaging(home)
    neededBytes += await missingBytes(wheels, fetching)
    await checkSpace(home, neededBytes)
    const fetched = await fetchWheels(wheels, fetching)
    staging = join(home, `${stagingPrefix}${randomUUID()}`)
    await mkdir(staging)
    await build(staging, fetched, await bindingHash(variant, prebuiltBinding))
    await rm(folder, { recursive: true, force: true })
    await rename(staging, folder)
    await syncPath(home)
    for (const { path, downloaded } of fetched) if (downloaded) await rm(path, { force: true })
    return folder
  } catch (error) {
    throw explain(error, home, neededBytes, signal)
  } finally {
    if (staging !== undefined) await rm(staging, { recursive: true, force: true })
    await release?.()
  }
}
