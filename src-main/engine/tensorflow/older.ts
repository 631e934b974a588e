// Engines that this Gyre does not use: each version of the binding or of TensorFlow has a folder of its own, and the one
// before it stays. Finds them with their sizes, and deletes one that nobody computes on.
import { readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { EngineStorage, OlderEngine } from '#shared/contract/engines'
import { GyreError } from '#shared/contract/errors'
import { engineHome } from '../home'
import type { EngineOptions } from '../types'
import { listTree } from './files'
import { usersOf } from './in-use'
import { engineFolder } from './installed'
import { removeTensorFlow } from './remove'
import { findVariant, type TensorFlowId } from './variants'

const ids: readonly TensorFlowId[] = ['tensorflow-cuda', 'tensorflow-cpu']
const folderName = /^(tensorflow-(?:cuda|cpu))-(.+)-[0-9a-f]+$/

/** The folders that this Gyre looks in. */
async function ownFolders(home: string, { prebuiltBinding }: EngineOptions): Promise<ReadonlySet<string>> {
  const variants = ids.map((id) => findVariant(id)).filter((variant) => typeof variant !== 'string')
  return new Set(await Promise.all(variants.map((variant) => engineFolder(home, variant, prebuiltBinding))))
}

async function treeBytes(folder: string): Promise<number> {
  const { files } = await listTree(folder)
  const sizes = await Promise.all(
    files.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((a, b) => a + b, 0)
}

async function listOlder(home: string, options: EngineOptions): Promise<OlderEngine[]> {
  const own = await ownFolders(home, options)
  const entries = await readdir(home, { withFileTypes: true }).catch(() => [])
  const found: OlderEngine[] = []
  for (const entry of entries) {
    const [, id, version = ''] = folderName.exec(entry.name) ?? []
    const known = ids.find((one) => one === id)
    const folder = join(home, entry.name)
    if (!known || !entry.isDirectory() || own.has(folder)) continue
    if ((await usersOf(folder)).length > 0) continue
    found.push({ name: entry.name, id: known, version, sizeBytes: await treeBytes(folder) })
  }
  return found
}

/** Bytes free on the drive of `folder`, which need not exist yet; null where that can't be known. */
async function freeBytesAt(folder: string): Promise<number | null> {
  const space = await statfs(folder).catch(() => null)
  if (space) return space.bavail * space.bsize
  return dirname(folder) === folder ? null : freeBytesAt(dirname(folder))
}

/** Where engines are installed, the space left there, and the older ones that nobody computes on. */
export async function engineStorage(options: EngineOptions): Promise<EngineStorage> {
  const folder = options.home ?? engineHome()
  return { folder, freeBytes: await freeBytesAt(folder), older: await listOlder(folder, options) }
}

/** Deletes the folder of an older engine. Throws `not-found` for any other name, `busy` while somebody computes on it. */
export async function removeOlderEngine(name: string, options: EngineOptions): Promise<void> {
  const home = options.home ?? engineHome()
  const own = await ownFolders(home, options)
  const folder = join(home, name)
  const info = folderName.test(name) ? await stat(folder).catch(() => null) : null
  if (!info?.isDirectory() || own.has(folder))
    throw new GyreError('not-found', `There is no older engine “${name}” here.`)
  await removeTensorFlow(folder)
}
