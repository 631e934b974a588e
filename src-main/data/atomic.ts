// Writing files so that a crash or a power cut leaves the old file or the new one, never a part: temporary file in
// the same folder, fsync, rename, fsync of the folder. What a killed process leaves behind is swept at the next start.
import { randomBytes } from 'node:crypto'
import { lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describeFsError, systemCode } from './fs-errors'

const temporaryName = /^\.gyre-tmp-(\d+)-[0-9a-f]+$/
/** A process id may be given to another process, so that a living "owner" does not keep old files for ever. */
const longestWriteMs = 24 * 60 * 60 * 1000

/** A fresh path for a temporary file or folder in `folder`, carrying its owner's process id. */
export function temporaryPath(folder: string): string {
  return join(folder, `.gyre-tmp-${process.pid}-${randomBytes(8).toString('hex')}`)
}

/** Makes the names in `folder` durable. Windows can't open a folder for this; there the rename has to do. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Replaces `path` by `data` in one step. The folder must exist.
 * @throws GyreError `no-space`, `permission`, `not-found`; the previous file is then still there, untouched.
 */
export async function atomicWriteFile(path: string, data: string | Uint8Array): Promise<void> {
  const folder = dirname(path)
  const temporary = temporaryPath(folder)
  try {
    const handle = await open(temporary, 'wx', 0o644)
    try {
      await handle.writeFile(data)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw describeFsError(error, path)
  }
}

/** `atomicWriteFile` of indented JSON with a newline at the end. */
export async function atomicWriteJson(path: string, value: unknown): Promise<void> {
  await atomicWriteFile(path, `${JSON.stringify(value, null, 2)}\n`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
}

function isLeftOver(pid: number, modifiedMs: number): boolean {
  const nowMs = Date.now()
  if (nowMs - modifiedMs > longestWriteMs) return true
  // Our own id with an older date: a process before us (the same id is common in containers).
  if (pid === process.pid) return modifiedMs < nowMs - process.uptime() * 1000 - 1000
  return !isAlive(pid)
}

/**
 * Removes temporary files and folders in `folder` whose owner is gone; a missing folder is fine.
 * @returns the number removed
 */
export async function sweepTemporaries(folder: string): Promise<number> {
  let removed = 0
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0
    throw describeFsError(error, folder)
  }
  for (const name of names) {
    const pid = temporaryName.exec(name)?.[1]
    if (pid === undefined) continue
    const path = join(folder, name)
    const info = await lstat(path).catch(() => null)
    if (info === null || !isLeftOver(Number(pid), info.mtimeMs)) continue
    await rm(path, { recursive: true, force: true })
    removed += 1
  }
  return removed
}
