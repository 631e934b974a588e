// Deletes an installed engine. It leaves the place where engines are looked for by one rename, so that nothing half is
// ever used; what an interrupted removal leaves is swept by the next installation.
import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stagingPrefix } from './installed'
import { acquireLock } from './lock'

/** Deletes the engine in `folder`. Waits for an installer that is at work beside it. */
export async function removeTensorFlow(folder: string): Promise<void> {
  const home = dirname(folder)
  const release = await acquireLock(home)
  try {
    const aside = join(home, `${stagingPrefix}${randomUUID()}`)
    await rename(folder, aside)
    await rm(aside, { recursive: true, force: true })
  } finally {
    await release()
  }
}
