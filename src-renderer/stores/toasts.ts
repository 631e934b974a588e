// Short notes at the edge of the window: what failed and what to do, or what is done.
import { toGyreError } from '#shared/contract/errors'
import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface Toast {
  id: number
  kind: 'note' | 'error'
  message: string
  hint: string | undefined
}

export const useToastsStore = defineStore('toasts', () => {
  const list = ref<Toast[]>([])
  let nextId = 1

  function show(kind: Toast['kind'], message: string, hint?: string): void {
    if (list.value.some((toast) => toast.message === message && toast.kind === kind)) return
    const id = nextId++
    list.value = [...list.value.slice(-3), { id, kind, message, hint }]
    // Errors stay until they are read.
    if (kind === 'note') setTimeout(() => dismiss(id), 6000)
  }

  function dismiss(id: number): void {
    list.value = list.value.filter((toast) => toast.id !== id)
  }

  /** Shows any thrown value, except what the person cancelled. */
  function fail(thrown: unknown): void {
    const error = toGyreError(thrown)
    if (error.code === 'cancelled') return
    show('error', error.message, error.hint)
  }

  return { list, say: (message: string) => show('note', message), show, fail, dismiss }
})
