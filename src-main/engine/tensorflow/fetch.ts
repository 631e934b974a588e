// Gets the wheels of an engine: those the person has, those that were downloaded before, and the rest from where pip
// finds them. Each is checked against its pinned SHA-256, and what is wrong is fetched once more and never used.
import { copyFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GyreError } from '#shared/contract/errors'
import type { InstallOptions, InstallProgress } from '../types'
import { download, type DownloadOptions } from './download'
import { findWheel } from './find-wheel'
import { hashFile } from './files'
import type { Wheel } from './variants'

export interface FetchOptions extends Pick<InstallOptions, 'wheelFolder' | 'indexUrl' | 'signal'> {
  /** Where downloads lie until the engine is installed. */
  downloads: string
  download: Pick<DownloadOptions, 'attempts' | 'retryDelayMs' | 'stallMs'>
  onProgress: (progress: Pick<InstallProgress, 'phase' | 'done' | 'total' | 'message'>) => void
}

export interface FetchedWheel {
  wheel: Wheel
  path: string
  /** It lies among the downloads, and goes when the engine is installed. */
  downloaded: boolean
}

const sizeOf = async (path: string): Promise<number | null> =>
  (await stat(path).catch(() => null))?.size ?? null

/** The bytes that are still to be downloaded. */
export async function missingBytes(
  wheels: readonly Wheel[],
  { downloads, wheelFolder }: FetchOptions,
): Promise<number> {
  let missing = 0
  for (const { fileName, sizeBytes } of wheels) {
    if (wheelFolder !== undefined && (await sizeOf(join(wheelFolder, fileName))) !== null) continue
    const whole = join(downloads, fileName)
    const have = (await sizeOf(whole)) ?? (await sizeOf(`${whole}.part`)) ?? 0
    missing += Math.max(0, sizeBytes - have)
  }
  return missing
}

async function fetchWheel(
  wheel: Wheel,
  target: string,
  options: FetchOptions,
  onBytes: (done: number) => void,
): Promise<void> {
  const { downloads, indexUrl, signal } = options
  const found = await findWheel(wheel, join(downloads, 'pip'), indexUrl, signal)
  if (found.url.startsWith('file:')) return copyFile(fileURLToPath(found.url), target)
  try {
    await download(found.url, target, {
      ...options.download,
      expectedBytes: wheel.sizeBytes,
      onBytes,
      signal,
    })
  } catch (error) {
    const stopped = error instanceof GyreError && error.code === 'disconnected'
    // Something arrived: the way works, so the person tries again. Nothing did: pip may know a way (login, proxy).
    const arrived = (await sizeOf(`${target}.part`)) ?? 0
    if (!stopped || arrived > 0 || !found.fetchWithPip) throw error
    await found.fetchWithPip(target, signal)
  }
}

/** All wheels with the right SHA-256, in order. Throws `corrupt` for one that stays wrong. */
export async function fetchWheels(wheels: readonly Wheel[], options: FetchOptions): Promise<FetchedWheel[]> {
  const { downloads, wheelFolder, signal, onProgress } = options
  const total = wheels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const nth = (index: number): string => (wheels.length > 1 ? ` (file ${index + 1} of ${wheels.length})` : '')

  async function obtain(wheel: Wheel, index: number, before: number): Promise<FetchedWheel> {
    const own = wheelFolder === undefined ? null : join(wheelFolder, wheel.fileName)
    if (own !== null && (await sizeOf(own)) !== null) return { wheel, path: own, downloaded: false }
    const path = join(downloads, wheel.fileName)
    if ((await sizeOf(path)) === null) {
      const message = `Looking for ${wheel.requirement.split('==')[0] ?? ''}${nth(index)}`
      onProgress({ phase: 'find', done: before, total, message })
      const say = (done: number): void =>
        onProgress({
          phase: 'download',
          done: before + done,
          total,
          message: `Downloading TensorFlow${nth(index)}`,
        })
      await fetchWheel(wheel, path, options, say)
    }
    return { wheel, path, downloaded: true }
  }

  async function verify({ wheel, path }: FetchedWheel, before: number): Promise<void> {
    const say = (done: number): void =>
      onProgress({ phase: 'verify', done: before + done, total, message: 'Checking the download' })
    const found = await hashFile(path, say, signal)
    if (found !== wheel.sha256)
      throw new GyreError(
        'corrupt',
        `${basename(path)} is not the expected file: its SHA-256 is ${found}.`,
        `Gyre needs the ${wheel.fileName} with the SHA-256 ${wheel.sha256}.`,
      )
  }

  async function each<T>(work: (wheel: Wheel, index: number, before: number) => Promise<T>): Promise<T[]> {
    const results: T[] = []
    let before = 0
    for (const [index, wheel] of wheels.entries()) {
      signal?.throwIfAborted()
      results.push(await work(wheel, index, before))
      before += wheel.sizeBytes
    }
    return results
  }

  await each(obtain)
  return each(async (wheel, index, before) => {
    for (let attempt = 0; ; attempt++) {
      const fetched = await obtain(wheel, index, before)
      try {
        await verify(fetched, before)
        return fetched
      } catch (error) {
        const wrong = error instanceof GyreError && error.code === 'corrupt' && fetched.downloaded
        if (wrong) await rm(fetched.path, { force: true })
        // An old part file may have been damaged on disk; a second, fresh download settles it.
        if (!wrong || attempt > 0) throw error
      }
    }
  })
}
