// Whether the service can be reached.
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { useConnection } from '../api/client'
import type { ConnectionState } from '../api/reconnecting-client'

export const useConnectionStore = defineStore('connection', () => {
  const connection = useConnection()
  const state = ref<ConnectionState>(connection.state)
  connection.onState((next) => (state.value = next))
  return { state, retry: () => connection.retry() }
})
