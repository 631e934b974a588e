// One owner at a time for a folder (a run, a dataset), across processes. Each contender puts an empty file whose
// *name* says who it is into `<folder>/.lock/` and then looks around: whoever sees no other living contender owns
// the folder. Writing before looking means two can never both see nobody. Files of dead owners are swept aside.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm, rmdir, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Contenders that meet settle it within a few tries; this only bounds a pathological crowd. */
const settleMs = 5_000
const heartbeatMs = 20_000
/** An owner on another machine cannot be asked whether it lives; silence decides. */
const silentMs = 90_000

export interface FolderLock {
  /** Lets another process of this machine hold the folder as well; it counts as held while either lives. */
  shareWith(pid: number): Promise<void>
  /** Gives the folder free. Calling it again does nothing. */
  release(): Promise<void>
}

interface Contender {
  file: string
  pid: number
  started: string
  host: string
  token: string
  held: boolean
}

const here = createHash('sha256').update(hostname()).digest('hex').slice(0, 12)

/** When a process started, so that a reused process id is not taken for the old owner. `0` where unknown. */
async function startOf(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    return '0'
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function parse(file: string): Contender | null {
  const match = /^(\d{1,10})\.(\d+)\.([0-9a-f]{12})\.([0-9a-f]{16})\.(trying|held)$/.exec(file)
  if (!match) return null
  const [, pid = '', started = '', host = '', token = '', state] = match
  return { file, pid: Number(pid), started, host, token, held: state === 'held' }
}

async function isAlive(folder: string, contender: Contender): Promise<boolean> {
  if (contender.host !== here) {
    const info = await stat(join(folder, contender.file)).catch(() => null)
    return info !== null && Date.now() - info.mtimeMs < silentMs
  }
  if (!isRunning(contender.pid)) return false
  const started = await startOf(contender.pid)
  return started === '0' || contender.started === '0' || started === contender.started
}

/** Living contenders; files of dead ones are removed on the way (their names are never used again). */
async function living(folder: string): Promise<Contender[]> {
  const names = await readdir(folder).catch(() => [])
  const alive: Contender[] = []
  for (const name of names) {
    const contender = parse(name)
    if (!contender) continue
    if (await isAlive(folder, contender)) alive.push(contender)
    else await rm(join(folder, name), { force: true })
  }
  return alive
}

async function touchNew(folder: string, file: string): Promise<void> {
  for (;;) {
    await mkdir(folder, { recursive: true })
    try {
      const handle = await open(join(folder, file), 'wx')
      await handle.close()
      return
    } catch (error) {
      // The previous owner removed the empty lock folder between our two calls.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

/** Whether a living process (this one included) owns `target`. */
export async function isLocked(target: string): Promise<boolean> {
  return (await living(join(target, '.lock'))).some((contender) => contender.held)
}

/** Takes the lock of the folder `target`, or returns null when a living owner has it. */
export async function tryLock(target: string): Promise<FolderLock | null> {
  const folder = join(target, '.lock')
  const deadline = Date.now() + settleMs
  const started = await startOf(process.pid)
  const lower = (a: Contender, token: string): boolean => a.token < token
  while (Date.now() < deadline) {
    const token = randomBytes(8).toString('hex')
    const base = `${process.pid}.${started}.${here}.${token}`
    await touchNew(folder, `${base}.trying`)
    const withdraw = (): Promise<void> => rm(join(folder, `${base}.trying`), { force: true })
    for (;;) {
      const others = (await living(folder)).filter((contender) => contender.token !== token)
      if (others.some((contender) => contender.held)) {
        await withdraw()
        return null
      }
      if (others.length === 0) return hold(folder, base)
      // Of those that try at once the lowest stays and the others step back, to come again with new tokens.
      if (others.some((contender) => lower(contender, token)) || Date.now() > deadline) break
      await delay(2)
    }
    await withdraw()
    await delay(2 + Math.random() * 20)
  }
  return null
}

async function hold(folder: string, base: string): Promise<FolderLock> {
  const held = join(folder, `${base}.held`)
  const shared: string[] = []
  await touchNew(folder, `${base}.held`)
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(held, now, now).catch(() => undefined)
  }, heartbeatMs)
  heartbeat.unref()
  let released = false
  return {
    shareWith: async (pid) => {
      const file = `${pid}.${await startOf(pid)}.${here}.${randomBytes(8).toString('hex')}.held`
      shared.push(file)
      await touchNew(folder, file)
    },
    release: async () => {
      if (released) return
      released = true
      clearInterval(heartbeat)
      for (const file of shared) await rm(join(folder, file), { force: true })
      await rm(held, { force: true })
      await rm(join(folder, `${base}.trying`), { force: true })
      await rmdir(folder).catch(() => undefined)
    },
  }
}

/** Waits for the lock of `target`; rejects when `signal` aborts. `onWait` is called once if another has it. */
export async function waitForLock(
  target: string,
  options: { signal?: AbortSignal; onWait?: () => void } = {},
): Promise<FolderLock> {
  let told = false
  for (;;) {
    options.signal?.throwIfAborted()
    const lock = await tryLock(target)
    if (lock) return lock
    if (!told) options.onWait?.()
    told = true
    await delay(200, undefined, { signal: options.signal })
  }
}
