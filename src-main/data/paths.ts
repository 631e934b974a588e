// The one place that turns a relative path (from a file, a call, a zip) into an absolute one. Nothing may reach
// outside the root, neither by `..` nor by a link.
import { readlink, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import { describeFsError, systemCode } from './fs-errors'

function refuse(path: string): never {
  throw new GyreError('invalid-input', `The path ${JSON.stringify(path)} leads outside its folder.`)
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

/**
 * `root` joined with a relative path, by text alone: for files of a source folder, where links out are the
 * person's own. `..`, absolute paths, drive letters and zero bytes are refused.
 */
export function joinInside(root: string, path: string): string {
  const isWindows = process.platform === 'win32'
  if (path.includes('\0') || isAbsolute(path) || (isWindows && /^[a-z]:/i.test(path))) refuse(path)
  if (path.split(isWindows ? /[\\/]/ : '/').includes('..')) refuse(path)
  const joined = resolve(root, path)
  if (!isInside(resolve(root), joined)) refuse(path)
  return joined
}

/** Where `path` would be written: the real path of the deepest part that exists, with the rest appended. */
async function realpathOfExisting(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw describeFsError(error, path)
    const parent = dirname(path)
    if (parent === path) return path
    // A link to what is not there yet: creating the file would create it at the link's end.
    const target = await readlink(path).catch(() => null)
    if (target !== null) return realpathOfExisting(resolve(parent, target))
    return join(await realpathOfExisting(parent), basename(path))
  }
}

/** Whether writing to `path` (absolute, there or not) would write into the folder `root`, links followed. */
export async function leadsInside(root: string, path: string): Promise<boolean> {
  return isInside(await realpathOfExisting(resolve(root)), await realpathOfExisting(resolve(path)))
}

/**
 * Absolute path of `path` in `root`, following links: for everything that somebody else may have written.
 * The file itself need not exist.
 * @throws GyreError `invalid-input` when it leads outside `root`
 */
export async function resolveInside(root: string, path: string): Promise<string> {
  const joined = joinInside(root, path)
  const [realRoot, real] = await Promise.all([realpathOfExisting(resolve(root)), realpathOfExisting(joined)])
  if (!isInside(realRoot, real)) refuse(path)
  return joined
}
