// Runs that another process trains (a command line beside the window): notices that their run.json has changed and
// tells the window, as if they were ours. Only while somebody is looking.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { identifier } from '#shared/contract/common'
import type { Bus } from './bus'
import type { Layout } from './layout'
import type { RunStore } from './run-store'

const everyMs = 2000

/** Starts watching; returns the function that ends it. */
export function watchRuns(layout: Layout, store: RunStore, bus: Bus): () => void {
  let known: Map<string, number> | null = null
  let looking = false

  const look = async (): Promise<void> => {
    const names = (await readdir(layout.runs)).filter((name) => identifier.safeParse(name).success)
    const before = known
    const now = new Map<string, number>()
    for (const id of names) {
      const info = await stat(join(layout.run(id), 'run.json')).catch(() => null)
      if (!info) continue
      now.set(id, info.mtimeMs)
      if (!before || store.owned(id) || before.get(id) === info.mtimeMs) continue
      const run = await store.read(id).catch(() => null)
      if (run) bus.emit('runs', 'onChange', { id, run })
    }
    for (const id of before?.keys() ?? []) if (!now.has(id)) bus.emit('runs', 'onChange', { id, run: null })
    known = now
  }

  const lookOnce = (): void => {
    if (looking) return
    looking = true
    look()
      .catch(() => undefined)
      .finally(() => (looking = false))
  }
  // What is there before anybody can ask is what changes are told against.
  lookOnce()
  const timer = setInterval(() => {
    if (bus.isAttached) lookOnce()
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}
