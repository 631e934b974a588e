// The person's settings, kept by the service; appearance is applied to the page here.
import { settingsShape, type Settings } from '#shared/contract/app'
import { defineStore } from 'pinia'
import { ref, watch } from 'vue'
import { onEachConnection, useClient } from '../api/client'
import { useToastsStore } from './toasts'

export const useSettingsStore = defineStore('settings', () => {
  const client = useClient()
  const toasts = useToastsStore()
  const values = ref<Settings>(settingsShape.parse({}))
  const loaded = ref(false)

  async function load(): Promise<void> {
    try {
      values.value = await client.settings.get()
      loaded.value = true
    } catch (error) {
      toasts.fail(error)
    }
  }

  async function set(change: Partial<Settings>): Promise<void> {
    values.value = { ...values.value, ...change }
    try {
      values.value = await client.settings.set(change)
    } catch (error) {
      toasts.fail(error)
      await load()
    }
  }

  watch(
    () => values.value.appearance,
    (appearance) => {
      if (appearance === 'system') delete document.documentElement.dataset['theme']
      else document.documentElement.dataset['theme'] = appearance
    },
    { immediate: true },
  )

  client.settings.onChange((next) => (values.value = next))
  onEachConnection(() => void load())

  return { values, loaded, set }
})
