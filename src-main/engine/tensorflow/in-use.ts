// Who computes on an installed engine, across processes: a file for each user in a folder beside the engine's, touched
// while the user lives. Removing an engine asks here first.
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive } from './lock'

const heartbeatMs = 10_000
/** A thread may be ended while its process lives on, and a process id may come again: silence counts as gone. */
const silentMs = 120_000

const usersFolder = (folder: string): string => `${folder}.users`

/**
 * Notes that this thread uses the engine in `folder`, until the function that it returns is called. Where nothing can be
 * written, nobody can remove the engine either, and nothing is noted.
 */
export function holdEngine(folder: string): () => void {
  const users = usersFolder(folder)
  const file = join(users, `${process.pid}-${randomUUID()}`)
  try {
    mkdirSync(users, { recursive: true })
    sweepDead(users)
    writeFileSync(file, '')
  } catch {
    return () => undefined
  }
  const touch = (): void => {
    const now = new Date()
    try {
      utimesSync(file, now, now)
    } catch {
      // It was swept; whoever did has seen that this thread is gone, and is wrong about nothing that can be helped here.
    }
  }
  const heartbeat = setInterval(touch, heartbeatMs)
  heartbeat.unref()
  return () => {
    clearInterval(heartbeat)
    rmSync(file, { force: true })
    try {
      rmdirSync(users)
    } catch {
      // Others use it, or it is gone already.
    }
  }
}

/** Deletes the notes of processes that are gone. */
function sweepDead(users: string): void {
  for (const name of readdirSync(users))
    if (!isAlive(Number.parseInt(name, 10))) rmSync(join(users, name), { force: true })
}

/** Ids of the living processes that use the engine in `folder`. */
export async function usersOf(folder: string): Promise<number[]> {
  const users = usersFolder(folder)
  const names = await readdir(users).catch(() => [])
  const found = await Promise.all(
    names.map(async (name) => {
      const pid = Number.parseInt(name, 10)
      const info = await stat(join(users, name)).catch(() => null)
      const silent = info === null || Date.now() - info.mtimeMs > silentMs
      return !silent && isAlive(pid) ? pid : null
    }),
  )
  return [...new Set(found.filter((pid) => pid !== null))]
}

/** Forgets every user of an engine that is gone. */
export const forgetUsers = (folder: string): void =>
  rmSync(usersFolder(folder), { recursive: true, force: true })
