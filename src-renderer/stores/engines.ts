// The engines: which there are, which one a wish leads to, install and self-test.
import type { EngineStatus } from '#shared/contract/app'
import type { EngineWish } from '#shared/contract/common'
import type { EngineUsed } from '#shared/contract/files'
import { defineStore } from 'pinia'
import { shallowRef, watch } from 'vue'
import { onEachConnection, useClient } from '../api/client'
import { useJobsStore } from './jobs'
import { useSettingsStore } from './settings'
import { useToastsStore } from './toasts'

export const useEnginesStore = defineStore('engines', () => {
  const client = useClient()
  const toasts = useToastsStore()
  const jobs = useJobsStore()
  const settings = useSettingsStore()
  const list = shallowRef<readonly EngineStatus[]>([])
  /** What the setting leads to now. */
  const chosen = shallowRef<EngineUsed | null>(null)

  async function load(): Promise<void> {
    try {
      list.value = await client.engines.list()
      chosen.value = await client.engines.chosen({ wish: settings.values.engine })
    } catch (error) {
      toasts.fail(error)
    }
  }

  const resolve = (wish: EngineWish): Promise<EngineUsed> => client.engines.chosen({ wish })

  async function install(id: EngineStatus['id']): Promise<void> {
    try {
      const { jobId } = await client.engines.install({ id })
      await jobs.whenOver(jobId)
    } catch (error) {
      toasts.fail(error)
    }
    await load()
  }

  onEachConnection(() => void load())
  watch(
    () => settings.values.engine,
    () => void load(),
  )

  return { list, chosen, load, resolve, install, test: client.engines.test }
})
