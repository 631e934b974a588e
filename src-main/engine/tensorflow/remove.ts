// Deletes an installed engine. It leaves the place where engines are looked for by one rename, so that nothing half is
// ever used; what an interrupted removal leaves is swept by the next one, or the next installation.
import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import { forgetUsers, usersOf } from './in-use'
import type { RemoveOptions } from '../types'
import { manifestFileName, stagingPrefix, sweepStaging } from './installed'
import { acquireLock } from './lock'

/** An installation may take many minutes: better to hear that than to wait for it. */
const installing = (): GyreError =>
  new GyreError('busy', 'An engine is being installed just now.', 'Wait until that is over, and try again.')

/**
 * Deletes the engine in `folder`. Throws `busy` while an installer is at work beside it, and while somebody computes on it. A
 * folder without a manifest was never an engine, or is one no more; it goes as well.
 */
export async function removeTensorFlow(
  folder: string,
  { signal, isIdleHere = () => false }: Pick<RemoveOptions, 'signal' | 'isIdleHere'> = {},
): Promise<void> {
  const home = dirname(folder)
  const release = await acquireLock(home, { signal, refusal: installing })
  try {
    await sweepStaging(home)
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
    const users = (await usersOf(folder)).filter((pid) => pid !== process.pid || !isIdleHere())
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
