// Takes the few needed files out of a wheel, streaming: a library inside is close to a gigabyte.
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { openPromise } from 'yauzl'
import { GyreError } from '#shared/contract/errors'
import type { Variant } from './variants'

const headerRoot = 'tensorflow/include/'

/** Where an entry of the wheel goes, or null for one that is not needed. Headers keep their folders, libraries do not. */
function destination(name: string, variant: Variant, folder: string, includeFolder: string): string | null {
  if (variant.libraries.includes(name)) return join(folder, basename(name))
  const header = variant.headerFolders.some((prefix) => name.startsWith(prefix)) && name.endsWith('.h')
  return header ? join(includeFolder, name.slice(headerRoot.length)) : null
}

/** Unpacks libraries into `folder` and headers into `includeFolder`. Throws `corrupt` where a library is missing. */
export async function unpackWheel(
  wheel: string,
  variant: Variant,
  folder: string,
  includeFolder: string,
  onBytes: (done: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const missing = new Set(variant.libraries)
  const zip = await openPromise(wheel, { lazyEntries: true }).catch((error: unknown) => {
    throw new GyreError('corrupt', `${basename(wheel)} is not a readable wheel file.`, undefined, {
      cause: error,
    })
  })
  let done = 0
  const count = (): Transform =>
    new Transform({
      transform(chunk: Buffer, _encoding, next) {
        done += chunk.length
        onBytes(done)
        next(null, chunk)
      },
    })
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted()
      const target = destination(entry.fileName, variant, folder, includeFolder)
      if (target === null) continue
      await mkdir(dirname(target), { recursive: true })
      await pipeline(await zip.openReadStreamPromise(entry), count(), createWriteStream(target), { signal })
      missing.delete(entry.fileName)
    }
  } finally {
    zip.close()
  }
  if (missing.size > 0)
    throw new GyreError('corrupt', `${basename(wheel)} does not hold ${[...missing].join(' and ')}.`)
}
