// Run folders on disk: reading run.json as untrusted input, owning a run while it is changed, and the list. A run
// folder may lie anywhere (`--out`, one that somebody sent); such a folder is adopted under its id for this process.
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { identifier } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { runFile, schemaVersion, type RunFile } from '#shared/contract/files'
import { resolveInside } from '#main/data/index'
import type { Bus } from './bus'
import type { Layout } from './layout'
import { isLocked, tryLock, waitForLock } from './locks'
import { OwnedRun } from './owned-run'

const maxRunFileBytes = 1024 * 1024
const patienceMs = 500

/** Reads and checks the run.json of a folder. Throws `not-found`, `corrupt` or `unsupported` in a sentence. */
export async function readRunFile(folder: string): Promise<RunFile> {
  const path = await resolveInside(folder, 'run.json')
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw new GyreError('not-found', `There is no run in “${folder}”.`, 'A run folder holds a run.json.', {
      cause,
    })
  })
  let value: unknown
  try {
    const info = await handle.stat()
    if (!info.isFile() || info.size > maxRunFileBytes) throw new Error('not a run file')
    value = JSON.parse(await handle.readFile('utf8'))
  } catch (cause) {
    throw new GyreError('corrupt', `The run.json in “${folder}” is damaged.`, undefined, { cause })
  } finally {
    await handle.close()
  }
  const version =
    typeof value === 'object' && value !== null && 'schemaVersion' in value ? value.schemaVersion : 0
  if (typeof version === 'number' && version > schemaVersion)
    throw new GyreError('unsupported', 'This run was made by a newer Gyre.', 'Update Gyre to open it.')
  const parsed = runFile.safeParse(value)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new GyreError('corrupt', `The run.json in “${folder}” is damaged${where ? ` at ${where}` : ''}.`)
}

/** A new run's id: when it was made, and a few letters so that two at once differ. */
export function newRunId(now = new Date()): string {
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')
  return `${stamp}-${randomBytes(3).toString('hex')}`
}

function notEmpty(folder: string, present: readonly string[]): GyreError {
  const hint = present.includes('run.json') ? 'Go on with that run: gyre resume.' : 'Choose a new folder.'
  return new GyreError('invalid-input', `The folder “${folder}” is not empty.`, hint)
}

/** Why a run can't be made in `folder`: only in an empty one, or in one that is not there yet. */
async function refusalOf(folder: string): Promise<GyreError | null> {
  const names = await readdir(folder).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new GyreError('invalid-input', `“${folder}” can't be used as a folder.`, 'Choose another.', {
      cause,
    })
  })
  const present = names.filter((name) => name !== '.lock')
  return present.length > 0 ? notEmpty(folder, present) : null
}

export class RunStore {
  readonly #layout: Layout
  readonly #bus: Bus
  readonly #adopted = new Map<string, string>()
  readonly #owned = new Map<string, OwnedRun>()

  constructor(layout: Layout, bus: Bus) {
    this.#layout = layout
    this.#bus = bus
  }

  folderOf(id: string): string {
    return this.#owned.get(id)?.folder ?? this.#adopted.get(id) ?? this.#layout.run(id)
  }

  isInLibrary(id: string): boolean {
    return !this.#adopted.has(id)
  }

  /** Finds a run by the path of its folder or its id, and returns its id for this process. */
  async find(pathOrId: string): Promise<string> {
    if (identifier.safeParse(pathOrId).success) {
      const found = await stat(join(this.#layout.run(pathOrId), 'run.json')).catch(() => null)
      if (found) return pathOrId
    }
    const folder = await realpath(resolve(pathOrId)).catch(() => null)
    if (folder === null)
      throw new GyreError(
        'not-found',
        `There is no run “${pathOrId}”.`,
        'Pass the path of a run folder, or the id of a run in the library.',
      )
    return (await this.adopt(folder)).id
  }

  /** Makes a run folder outside the library known to this process, under the id in its run.json. */
  async adopt(folder: string): Promise<RunFile> {
    const file = await readRunFile(folder)
    const inLibrary = await realpath(this.#layout.run(file.id)).catch(() => null)
    if (folder !== inLibrary) this.#adopted.set(file.id, folder)
    return file
  }

  /** All readable runs of the library and the adopted ones, newest first. */
  async list(): Promise<RunFile[]> {
    const names = await readdir(this.#layout.runs).catch(() => [])
    const ids = new Set([
      ...names.filter((name) => identifier.safeParse(name).success),
      ...this.#adopted.keys(),
    ])
    const found = await Promise.all([...ids].map((id) => this.read(id).catch(() => null)))
    return found
      .filter((file) => file !== null)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id))
  }

  async read(id: string): Promise<RunFile> {
    const owned = this.#owned.get(id)
    if (owned) return owned.file
    const folder = this.folderOf(id)
    const known = await stat(folder).catch(() => null)
    if (!known) throw new GyreError('not-found', `There is no run “${id}” in the library.`)
    // A copied folder keeps the id of its original in run.json; the folder's name is what tells them apart.
    return { ...(await readRunFile(folder)), id }
  }

  /** The run if this process owns it now. */
  owned(id: string): OwnedRun | undefined {
    return this.#owned.get(id)
  }

  /** Whether some living process owns it. */
  async isBusy(id: string): Promise<boolean> {
    return this.#owned.has(id) || isLocked(this.folderOf(id))
  }

  /** Takes a run for changing it. Throws `busy` while this or another process has it. */
  async own(id: string): Promise<OwnedRun> {
    if (this.#owned.has(id)) throw new GyreError('busy', 'This run is being worked on already.')
    await this.read(id)
    const folder = this.folderOf(id)
    // Whoever was told that a run has ended may be here a moment before its owner has let go.
    const lock = await waitForLock(folder, { signal: AbortSignal.timeout(patienceMs) }).catch(() => null)
    if (!lock)
      throw new GyreError(
        'busy',
        'Another Gyre on this machine is working on this run.',
        'Wait until it has ended, or stop it there.',
      )
    try {
      return this.#keep(new OwnedRun(folder, { ...(await readRunFile(folder)), id }, lock, this.#bus))
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** Before anything slow is done for a run in `folder`. @throws GyreError `invalid-input` where it is not free */
  async checkFree(folder: string): Promise<void> {
    const refusal = await refusalOf(resolve(folder))
    if (refusal) throw refusal
  }

  /** Writes a new run into the library, or into `folder`, which must be absent or empty. It is owned. */
  async create(file: RunFile, folder?: string): Promise<OwnedRun> {
    const target = folder === undefined ? this.#layout.run(file.id) : resolve(folder)
    await mkdir(target, { recursive: true })
    const lock = await tryLock(target)
    const refusal = await refusalOf(target)
    if (!lock || refusal) {
      await lock?.release()
      throw refusal ?? notEmpty(target, [])
    }
    if (folder !== undefined) this.#adopted.set(file.id, await realpath(target))
    const run = this.#keep(new OwnedRun(target, file, lock, this.#bus))
    await run.flush()
    return run
  }

  /** Moves a run of the library into the trash. */
  async trash(id: string): Promise<void> {
    if (!this.isInLibrary(id))
      throw new GyreError('unsupported', 'This run lies outside the library.', 'Delete its folder yourself.')
    const run = await this.own(id)
    await mkdir(this.#layout.trash, { recursive: true })
    const target = join(this.#layout.trash, `${basename(run.folder)}-${randomBytes(4).toString('hex')}`)
    await rename(run.folder, target)
    await rm(join(target, '.lock'), { recursive: true, force: true })
    await run.abandon()
    this.#bus.emit('runs', 'onChange', { id, run: null })
  }

  #keep(run: OwnedRun): OwnedRun {
    this.#owned.set(run.id, run)
    run.onRelease(() => this.#owned.delete(run.id))
    return run
  }
}
