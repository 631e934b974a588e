// What holds the window (desktop or browser) and how busy the machine is.
import type { HostInfo, SystemLoad } from '#shared/contract/app'
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import { onEachConnection, useClient } from '../api/client'
import { useToastsStore } from './toasts'

export const useHostStore = defineStore('host', () => {
  const client = useClient()
  const toasts = useToastsStore()
  const info = shallowRef<HostInfo | null>(null)
  const load = shallowRef<SystemLoad | null>(null)

  client.host.onLoad((next) => (load.value = next))
  onEachConnection(() => {
    client.host.info().then((next) => (info.value = next), toasts.fail)
  })

  return { info, load }
})
