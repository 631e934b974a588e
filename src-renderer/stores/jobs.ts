// Long work of the service: what runs now, and how the latest of it ended.
import type { Job } from '#shared/contract/common'
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { onEachConnection, useClient } from '../api/client'
import { useToastsStore } from './toasts'

export const useJobsStore = defineStore('jobs', () => {
  const client = useClient()
  const toasts = useToastsStore()
  const list = shallowRef<readonly Job[]>([])
  const watchers = new Set<() => void>()

  const running = computed(() => list.value.filter((job) => job.status === 'running'))
  const byId = (id: string): Job | undefined => list.value.find((job) => job.id === id)

  function put(job: Job): void {
    const before = byId(job.id)
    list.value = before
      ? list.value.map((one) => (one.id === job.id ? job : one))
      : [...list.value, job].slice(-100)
    if (job.status === 'failed' && before?.status === 'running')
      toasts.show('error', job.message ?? `${job.title} failed.`, job.hint)
    for (const check of watchers) check()
  }

  async function load(): Promise<void> {
    try {
      list.value = await client.jobs.list()
      for (const check of watchers) check()
    } catch (error) {
      toasts.fail(error)
    }
  }

  async function cancel(id: string): Promise<void> {
    try {
      await client.jobs.cancel({ id })
    } catch (error) {
      toasts.fail(error)
    }
  }

  /** Resolves with the job once it is no longer running, however it ended. */
  async function whenOver(id: string): Promise<Job> {
    if (!byId(id)) await load()
    return new Promise((resolve) => {
      const check = (): void => {
        const job = byId(id)
        if (!job || job.status === 'running') return
        watchers.delete(check)
        resolve(job)
      }
      watchers.add(check)
      check()
    })
  }

  client.jobs.onChange(put)
  onEachConnection(() => void load())

  return { list, running, byId, load, cancel, whenOver }
})
