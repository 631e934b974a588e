// A run that this process owns: its run.json in memory, written atomically at most once a second (at once when the
// status changes), with an event for each change. Only an owner writes into a run folder.
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunFile } from '#shared/contract/files'
import { atomicWriteJson } from '#main/data/atomic'
import type { Bus } from './bus'
import type { FolderLock } from './locks'

const writeEveryMs = 1000
const emitEveryMs = 200

export type RunChange = Partial<Omit<RunFile, 'id' | 'schemaVersion'>>

export class OwnedRun {
  readonly id: string
  readonly folder: string
  readonly #lock: FolderLock
  readonly #bus: Bus
  readonly #onRelease: (() => void)[] = []
  #file: RunFile
  #writing: Promise<void> = Promise.resolve()
  #writeTimer: NodeJS.Timeout | null = null
  #emitTimer: NodeJS.Timeout | null = null
  #gone = false

  constructor(folder: string, file: RunFile, lock: FolderLock, bus: Bus) {
    this.id = file.id
    this.folder = folder
    this.#file = file
    this.#lock = lock
    this.#bus = bus
  }

  get file(): RunFile {
    return this.#file
  }

  /** Changes run.json. It is on disk within a second; `flush` waits for it. */
  update(change: RunChange): void {
    const statusChanged = change.status !== undefined && change.status !== this.#file.status
    this.#file = { ...this.#file, ...change, updatedAt: new Date().toISOString() }
    if (statusChanged) {
      this.#write().catch(() => undefined)
      this.#emit()
      return
    }
    this.#writeTimer ??= setTimeout(() => void this.#write().catch(() => undefined), writeEveryMs)
    this.#emitTimer ??= setTimeout(() => this.#emit(), emitEveryMs)
  }

  /** Writes what is in memory. Throws when the disk refuses. */
  async flush(): Promise<void> {
    await this.#write()
    this.#emit()
  }

  /** Adds a line to log.txt. The log must never be what ends a run, so a failure is swallowed. */
  async log(line: string): Promise<void> {
    const text = `${new Date().toISOString()} ${line.replaceAll(/[\r\n]+/g, ' ')}\n`
    await appendFile(join(this.folder, 'log.txt'), text).catch(() => undefined)
  }

  /** Lets the process `pid` own the run as well, so that it stays taken for as long as either lives. */
  async shareWith(pid: number): Promise<void> {
    await this.#lock.shareWith(pid)
  }

  onRelease(listener: () => void): void {
    this.#onRelease.push(listener)
  }

  /**
   * Writes the last state, with `change`, and gives the run free. The change is seen by others only when the run is
   * free: whoever is told that it has ended may go on with it at once.
   */
  async release(change: RunChange = {}): Promise<void> {
    if (this.#gone) return
    const last = { ...this.#file, ...change, updatedAt: new Date().toISOString() }
    this.#clearTimers()
    try {
      await this.#writing.catch(() => undefined)
      await atomicWriteJson(join(this.folder, 'run.json'), last)
    } finally {
      await this.abandon()
      this.#file = last
      this.#bus.emit('runs', 'onChange', { id: this.id, run: last })
    }
  }

  /** Gives the run free without writing: its folder has moved. */
  async abandon(): Promise<void> {
    this.#gone = true
    this.#clearTimers()
    await this.#writing.catch(() => undefined)
    await this.#lock.release()
    for (const listener of this.#onRelease) listener()
  }

  #clearTimers(): void {
    if (this.#writeTimer) clearTimeout(this.#writeTimer)
    if (this.#emitTimer) clearTimeout(this.#emitTimer)
    this.#writeTimer = null
    this.#emitTimer = null
  }

  #write(): Promise<void> {
    if (this.#writeTimer) clearTimeout(this.#writeTimer)
    this.#writeTimer = null
    const write = this.#writing
      .catch(() => undefined)
      .then(() => (this.#gone ? undefined : atomicWriteJson(join(this.folder, 'run.json'), this.#file)))
    this.#writing = write
    write.catch(() => undefined)
    return write
  }

  #emit(): void {
    if (this.#emitTimer) clearTimeout(this.#emitTimer)
    this.#emitTimer = null
    if (!this.#gone) this.#bus.emit('runs', 'onChange', { id: this.id, run: this.#file })
  }
}
