// Opening a library: its folders, the leftovers of killed processes, and runs that were training when theirs died.
// Many processes may open one library at once; nothing that a living process owns is touched.
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { GyreError } from '#shared/contract/errors'
import type { RunStatus } from '#shared/contract/files'
import { sweepTemporaries } from '#main/data/index'
import type { Layout } from './layout'
import { keptState } from './kept'
import { isLocked } from './locks'
import type { RunChange } from './owned-run'
import type { RunStore } from './run-store'
import { sweepUploads } from './uploads'

const lookAgainMs = 1000
const active: readonly RunStatus[] = ['created', 'preparing', 'running', 'paused']

/** Makes what is missing. @throws GyreError `permission` when the library can't be written */
export async function openLibrary(layout: Layout): Promise<void> {
  try {
    for (const folder of [layout.datasets, layout.runs]) await mkdir(folder, { recursive: true })
  } catch (cause) {
    throw new GyreError(
      'permission',
      `The library “${layout.root}” can't be opened for writing.`,
      'Check the folder, or choose another one with GYRE_HOME.',
      { cause },
    )
  }
}

/** Removes temporary files whose owners are gone, everywhere in the library. */
export async function sweepLibrary(layout: Layout): Promise<void> {
  const children = async (folder: string): Promise<string[]> => readdir(folder).catch(() => [])
  await sweepTemporaries(layout.root)
  await sweepUploads(layout.uploads)
  for (const name of await children(layout.datasets)) {
    const folder = join(layout.datasets, name)
    if (name.startsWith('.removed-')) await rm(folder, { recursive: true, force: true })
    else await sweepDataset(folder)
  }
  for (const name of await children(layout.runs)) {
    await sweepTemporaries(join(layout.runs, name)).catch(() => undefined)
    await sweepTemporaries(join(layout.runs, name, 'inspection')).catch(() => undefined)
  }
}

async function sweepDataset(folder: string): Promise<void> {
  await sweepTemporaries(folder).catch(() => undefined)
  await sweepTemporaries(join(folder, 'packs')).catch(() => undefined)
  for (const name of await readdir(folder).catch(() => [])) {
    const marker = join(folder, name)
    if (name.startsWith('.in-use-') && !(await isLocked(marker)))
      await rm(marker, { recursive: true, force: true })
  }
}

/**
 * Marks runs as interrupted whose process died while it trained them, at the step that can be resumed. Those that another
 * process has are looked at again until it is gone, or `signal` aborts: it may be a trainer whose parent was killed.
 */
export async function recoverRuns(store: RunStore, signal: AbortSignal): Promise<void> {
  const elsewhere: string[] = []
  for (const { id, status } of await store.list()) {
    if (!active.includes(status)) continue
    if (await store.isBusy(id)) elsewhere.push(id)
    else await recover(store, id).catch(() => undefined)
  }
  for (const id of elsewhere) recoverLater(store, id, signal).catch(() => undefined)
}

async function recoverLater(store: RunStore, id: string, signal: AbortSignal): Promise<void> {
  do await delay(lookAgainMs, undefined, { signal, ref: false })
  while (await store.isBusy(id))
  await recover(store, id)
}

async function recover(store: RunStore, id: string): Promise<void> {
  const run = await store.own(id)
  let change: RunChange = {}
  try {
    if (!active.includes(run.file.status)) return
    const kept = await keptState(run.folder)
    const message =
      kept === null
        ? 'Gyre ended before the first checkpoint of this run.'
        : `Gyre ended while this run was training; it is kept up to step ${kept.step}.`
    const error = { code: 'internal', message, hint: 'Resume it to go on.' }
    change = { step: 0, ...kept, status: 'interrupted', error }
    await run.log(message)
  } finally {
    await run.release(change)
  }
}
