// The person's settings: one small JSON file, written atomically. A damaged file means defaults, never a crash.
import { readFile } from 'node:fs/promises'
import { settingsShape, type Settings } from '#shared/contract/app'
import { atomicWriteJson } from '#main/data/atomic'
import type { Bus } from './bus'

export class SettingsStore {
  readonly #file: string
  readonly #bus: Bus
  #writing: Promise<unknown> = Promise.resolve()

  constructor(file: string, bus: Bus) {
    this.#file = file
    this.#bus = bus
  }

  /** Read anew each time: another process of the same person may have changed them. */
  async get(): Promise<Settings> {
    try {
      return settingsShape.parse(JSON.parse(await readFile(this.#file, 'utf8')))
    } catch {
      return settingsShape.parse({})
    }
  }

  /** Changes the given settings and tells everyone. Calls are applied one after the other. */
  async set(change: Partial<Settings>): Promise<Settings> {
    const apply = async (): Promise<Settings> => {
      const next = settingsShape.parse({ ...(await this.get()), ...change })
      await atomicWriteJson(this.#file, next)
      this.#bus.emit('settings', 'onChange', next)
      return next
    }
    const result = this.#writing.then(apply)
    this.#writing = result.catch(() => undefined)
    return result
  }
}
