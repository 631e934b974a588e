// The runs of the library, newest first, kept current by events. Curves and control of training are elsewhere.
import type { RunFile } from '#shared/contract/files'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { onEachConnection, useClient } from '../api/client'
import { runToInspect, runToWatch } from './run-choice'

export const useRunsStore = defineStore('runs', () => {
  const client = useClient()
  const list = shallowRef<readonly RunFile[]>([])
  const loaded = ref(false)
  const error = shallowRef<unknown>(null)

  const sorted = (runs: readonly RunFile[]): RunFile[] =>
    [...runs].sort((a, b) => b.createdAt.localeCompare(a.createdAt))

  async function load(): Promise<void> {
    try {
      list.value = sorted(await client.runs.list())
      loaded.value = true
      error.value = null
    } catch (thrown) {
      error.value = thrown
    }
  }

  function put(id: string, run: RunFile | null): void {
    const others = list.value.filter((one) => one.id !== id)
    list.value = run ? sorted([...others, run]) : others
  }

  const byId = (id: string): RunFile | undefined => list.value.find((one) => one.id === id)
  /** The run to watch where none was asked for. */
  const current = computed(() => runToWatch(list.value))
  /** The run whose saved states are shown where none was asked for. */
  const inspectable = computed(() => runToInspect(list.value))

  async function update(id: string, change: { name?: string; notes?: string }): Promise<void> {
    put(id, await client.runs.update({ id, ...change }))
  }

  async function remove(id: string): Promise<void> {
    await client.runs.remove({ id })
    put(id, null)
  }

  client.runs.onChange(({ id, run }) => put(id, run))
  onEachConnection(() => void load())

  return { list, loaded, error, current, inspectable, load, put, byId, update, remove }
})
