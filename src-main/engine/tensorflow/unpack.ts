// Takes the few needed files out of a wheel, streaming: a library inside is close to a gigabyte. Their SHA-256 is made on
// the way, so that nothing is read twice.
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { openPromise } from 'yauzl'
import { GyreError } from '#shared/contract/errors'
import type { Variant, Wheel } from './variants'

const headerRoot = 'tensorflow/include/'
/** Libraries that TensorFlow loads, and the compiler and bitcode with which it makes kernels for a card. */
const nvidiaFile = /^nvidia\/\w+\/lib\/[^/]+\.so[^/]*$|^nvidia\/cuda_nvcc\/(bin|nvvm)\/.*[^/]$/
const program = /^nvidia\/cuda_nvcc\/bin\//

export interface UnpackedFile {
  sizeBytes: number
  sha256: string
}

export interface UnpackTarget {
  /** The engine's folder. */
  folder: string
  includeFolder: string
}

/** Where an entry of a wheel goes, or null for one that is not needed: paths from the engine's folder. */
function libraryPath(name: string, { wheel, libraryFolder }: Variant): string | null {
  if (wheel.holds.includes(name)) return join(libraryFolder, basename(name))
  return nvidiaFile.test(name) ? name : null
}

function headerPath(name: string, { headerFolders }: Variant): string | null {
  const wanted = name.endsWith('.h') && headerFolders.some((prefix) => name.startsWith(prefix))
  return wanted ? name.slice(headerRoot.length) : null
}

/**
 * Unpacks what is needed of `wheel`, and gives what came of libraries, by path from the engine's folder. `onBytes` hears of
 * every piece. Throws `corrupt` where a file is missing in the wheel.
 */
export async function unpackWheel(
  path: string,
  wheel: Wheel,
  variant: Variant,
  { folder, includeFolder }: UnpackTarget,
  onBytes: (count: number) => void,
  signal?: AbortSignal,
): Promise<Record<string, UnpackedFile>> {
  const missing = new Set(wheel.holds)
  const files: Record<string, UnpackedFile> = {}
  const zip = await openPromise(path, { lazyEntries: true }).catch((error: unknown) => {
    throw new GyreError('corrupt', `${basename(path)} is not a readable wheel file.`, undefined, {
      cause: error,
    })
  })
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted()
      const library = libraryPath(entry.fileName, variant)
      const header = headerPath(entry.fileName, variant)
      const target = library === null ? header && join(includeFolder, header) : join(folder, library)
      if (target === null) continue
      await mkdir(dirname(target), { recursive: true })
      const hash = createHash('sha256')
      const count = new Transform({
        transform(chunk: Buffer, _encoding, next) {
          hash.update(chunk)
          onBytes(chunk.length)
          next(null, chunk)
        },
      })
      await pipeline(await zip.openReadStreamPromise(entry), count, createWriteStream(target), { signal })
      // Wheels keep the permissions, but a zip file made elsewhere may not.
      if (program.test(entry.fileName)) await chmod(target, 0o755)
      if (library !== null) files[library] = { sizeBytes: entry.uncompressedSize, sha256: hash.digest('hex') }
      missing.delete(entry.fileName)
    }
  } finally {
    zip.close()
  }
  if (missing.size > 0)
    throw new GyreError('corrupt', `${basename(path)} does not hold ${[...missing].join(' and ')}.`)
  return files
}
