// What codes decode to, kept on disk beside the inspections: a place for every code and a checksum for each place, so that
// tiles come in any order and a torn or damaged one is merely missing. A cache: anything wrong with it means “not there”.
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { temporaryPath } from '#main/data/atomic'
import { openSafetensors } from '#main/export/safetensors'
import { layoutHeader } from '#main/export/safetensors-header'

const format = 'gyre-tiles'
const version = '1'

/** RGB, `size`×`size` a code, in the order asked; null where a code is not drawn yet. */
export interface StoredTiles {
  size: number
  tiles: (Uint8Array | null)[]
}

interface Places {
  size: number
  /** Bytes from the start of the file. */
  pixels: number
  checks: number
}

/** Never 0, which stands for an empty place. */
function checksum(tile: Uint8Array): number {
  return crc32(tile) || 1
}

function specs(codes: number, size: number): Parameters<typeof layoutHeader>[0] {
  return [
    { name: 'check', dtype: 'I32', shape: [codes] },
    { name: 'pixels', dtype: 'U8', shape: [codes, size, size, 3] },
  ]
}

/** Where things are in a file for so many codes; null where it is not there or is not such a file. */
async function placesOf(path: string, codes: number): Promise<Places | null> {
  const reader = await openSafetensors(path).catch(() => null)
  if (!reader) return null
  await reader.close()
  const { metadata, tensors } = reader
  const [check, pixels] = [tensors.get('check'), tensors.get('pixels')]
  if (metadata.get('format') !== format || metadata.get('version') !== version || !check || !pixels)
    return null
  const size = pixels.shape[1] ?? 0
  const fits = specs(codes, size).every(({ name, dtype, shape }) => {
    const found = tensors.get(name)
    return found?.dtype === dtype && found.shape.join() === shape.join()
  })
  return fits && size > 0 ? { size, pixels: pixels.offset, checks: check.offset } : null
}

async function readAt(handle: FileHandle, length: number, position: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  const { bytesRead } = await handle.read(bytes, 0, length, position)
  return bytes.subarray(0, bytesRead)
}

async function readChecks(handle: FileHandle, codes: number, { checks }: Places): Promise<Int32Array> {
  const bytes = await readAt(handle, 4 * codes, checks)
  return new Int32Array(bytes.buffer, 0, Math.floor(bytes.length / 4))
}

/** The tiles of these codes, for a codebook of so many; null where there is no file that fits. */
export async function readTiles(
  path: string,
  codes: number,
  indices: readonly number[],
): Promise<StoredTiles | null> {
  const places = await placesOf(path, codes)
  if (!places) return null
  const { size } = places
  const bytes = size * size * 3
  const handle = await open(path, 'r')
  try {
    const checks = await readChecks(handle, codes, places)
    const read = async (code: number): Promise<Uint8Array | null> => {
      if (!checks[code]) return null
      const tile = await readAt(handle, bytes, places.pixels + code * bytes)
      return (checksum(tile) | 0) === checks[code] ? tile : null
    }
    return { size, tiles: await Promise.all(indices.map(read)) }
  } finally {
    await handle.close()
  }
}

/** Codes whose place is empty, ascending; all where there is no file that fits. Does not read the tiles. */
export async function missingTiles(path: string, codes: number): Promise<number[]> {
  const all = Array.from({ length: codes }, (_, code) => code)
  const places = await placesOf(path, codes)
  if (!places) return all
  const handle = await open(path, 'r')
  try {
    const checks = await readChecks(handle, codes, places)
    return all.filter((code) => !checks[code])
  } finally {
    await handle.close()
  }
}

/** An empty file in place of whatever is there. The places take no room on disk until they are filled. */
async function createTiles(path: string, codes: number, size: number): Promise<void> {
  const { header, tensors } = layoutHeader(specs(codes, size), { format, version })
  const temporary = temporaryPath(dirname(path))
  const handle = await open(temporary, 'wx')
  try {
    await handle.writeFile(header)
    await handle.truncate(
      Math.max(...Array.from(tensors.values(), ({ offset, sizeBytes }) => offset + sizeBytes)),
    )
    await handle.close()
    await rename(temporary, path)
  } finally {
    await handle.close().catch(() => undefined)
    await rm(temporary, { force: true })
  }
}

/**
 * Keeps tiles of `size`×`size` RGB, one for each index, in order; makes the file, or makes it anew where it does not fit. Not
 * for two at a time on one path. Throws what the file system says.
 */
export async function writeTiles(
  path: string,
  codes: number,
  indices: readonly number[],
  { size, pixels }: { size: number; pixels: Uint8Array },
): Promise<void> {
  if ((await placesOf(path, codes))?.size !== size) await createTiles(path, codes, size)
  const places = await placesOf(path, codes)
  if (!places) return
  const bytes = size * size * 3
  const handle = await open(path, 'r+')
  try {
    for (const [i, code] of indices.entries()) {
      const tile = pixels.subarray(i * bytes, (i + 1) * bytes)
      await handle.write(tile, 0, bytes, places.pixels + code * bytes)
      const check = Int32Array.of(checksum(tile))
      await handle.write(new Uint8Array(check.buffer), 0, 4, places.checks + 4 * code)
    }
  } finally {
    await handle.close()
  }
}
