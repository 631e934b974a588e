// One installer at a time on one engine folder, across processes. A lock is a file that names its owner and is
// touched while the owner lives; the lock of a dead owner is taken over.
import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const lockFileName = 'install.lock'
/** A process id may be given to another process after a crash, so a silent owner counts as dead as well. */
const silentMs = 120_000
const heartbeatMs = 10_000

export interface LockOptions {
  signal?: AbortSignal
  /** Called once, when another living process holds the lock. */
  onWait?: () => void
  pollMs?: number
  /** What to throw then, instead of waiting. */
  refusal?: () => Error
}

/** Whether a process with this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The text of a lock whose owner is gone, or null while the owner lives (or the lock has just been released). */
async function readStale(path: string): Promise<string | null> {
  try {
    const [text, info] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    const silent = Date.now() - info.mtimeMs > silentMs
    const pid = Number.parseInt(text, 10)
    // A lock without a number was cut off while being written; give its writer time.
    return silent || (Number.isInteger(pid) && !isAlive(pid)) ? text : null
  } catch {
    return null
  }
}

/** Moves a stale lock aside. If a new owner slipped in between, its lock is put back. */
async function takeOver(path: string, staleText: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch {
    return
  }
  if ((await readFile(aside, 'utf8')) !== staleText) await link(aside, path).catch(() => undefined)
  await rm(aside, { force: true })
}

/** Writes the lock; false where there is one. A disk that takes no text keeps no lock either. */
async function claim(path: string, text: string): Promise<boolean> {
  const handle = await open(path, 'wx').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null
    throw error
  })
  if (!handle) return false
  try {
    await handle.writeFile(text)
    return true
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

/** Waits for the lock of `folder` and returns the function that releases it. Rejects when `signal` aborts. */
export async function acquireLock(folder: string, options: LockOptions = {}): Promise<() => Promise<void>> {
  const path = join(folder, lockFileName)
  const text = `${process.pid}\n${randomUUID()}\n`
  let told = false
  for (;;) {
    options.signal?.throwIfAborted()
    if (await claim(path, text)) break
    const stale = await readStale(path)
    if (stale !== null) {
      await takeOver(path, stale)
      continue
    }
    if (options.refusal) throw options.refusal()
    if (!told) options.onWait?.()
    told = true
    await delay(options.pollMs ?? 500, undefined, { signal: options.signal })
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, heartbeatMs)
  heartbeat.unref()
  return async () => {
    clearInterval(heartbeat)
    if ((await readFile(path, 'utf8').catch(() => '')) === text) await rm(path, { force: true })
  }
}
