// The datasets of the library, newest first, kept current by events.
import type { DatasetFile } from '#shared/contract/files'
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import { onEachConnection, useClient } from '../api/client'

export const useDatasetsStore = defineStore('datasets', () => {
  const client = useClient()
  const list = shallowRef<readonly DatasetFile[]>([])
  const loaded = ref(false)
  const error = shallowRef<unknown>(null)

  const sorted = (datasets: readonly DatasetFile[]): DatasetFile[] =>
    [...datasets].sort((a, b) => b.createdAt.localeCompare(a.createdAt))

  async function load(): Promise<void> {
    try {
      list.value = sorted(await client.datasets.list())
      loaded.value = true
      error.value = null
    } catch (thrown) {
      error.value = thrown
    }
  }

  function put(id: string, dataset: DatasetFile | null): void {
    const others = list.value.filter((one) => one.id !== id)
    list.value = dataset ? sorted([...others, dataset]) : others
  }

  const byId = (id: string): DatasetFile | undefined => list.value.find((one) => one.id === id)

  async function rename(id: string, name: string): Promise<void> {
    put(id, await client.datasets.rename({ id, name }))
  }

  async function remove(id: string): Promise<void> {
    await client.datasets.remove({ id })
    put(id, null)
  }

  client.datasets.onChange(({ id, dataset }) => put(id, dataset))
  onEachConnection(() => void load())

  return { list, loaded, error, load, byId, rename, remove }
})
