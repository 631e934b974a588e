// Deletes an installed engine. It leaves the place where engines are looked for by one rename, so that nothing half is
// ever used; what an interrupted removal leaves is swept by the next installation.
import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import { forgetUsers, usersOf } from './in-use'
import { manifestFileName, stagingPrefix } from './installed'
import { acquireLock } from './lock'

export interface RemoveOptions {
  signal?: AbortSignal
  /** A process that has made sure of itself: its notes of using the engine do not count. */
  exceptPid?: number
}

/**
 * Deletes the engine in `folder`. Waits for an installer that is at work beside it. Throws `busy` while another process
 * computes on it. A folder without a manifest was never an engine, or is one no more; it goes as well.
 */
export async function removeTensorFlow(folder: string, options: RemoveOptions = {}): Promise<void> {
  const home = dirname(folder)
  const release = await acquireLock(home, { signal: options.signal })
  try {
    const manifest = join(folder, manifestFileName)
    // Without its manifest it counts as not installed. Whoever loads it notes that before looking whether it is there, so
    // one of the two sees the other.
    const aside = `${manifest}.aside`
    const whole = await rename(manifest, aside).then(
      () => true,
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        return false
      },
    )
    const users = (await usersOf(folder)).filter((pid) => pid !== options.exceptPid)
    if (users.length > 0) {
      if (whole) await rename(aside, manifest)
      throw new GyreError(
        'busy',
        `Something computes on this engine: process ${users.join(', ')}.`,
        'Stop what runs there, or close that Gyre, and try again.',
      )
    }
    const staging = join(home, `${stagingPrefix}${randomUUID()}`)
    await rename(folder, staging)
    forgetUsers(folder)
    await rm(staging, { recursive: true, force: true })
  } finally {
    await release()
  }
}
