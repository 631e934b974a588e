// What the present design would cost, asked anew shortly after each change; a newer question replaces an older.
import type { ConfigInput } from '#shared/config/index'
import { toGyreError } from '#shared/contract/errors'
import type { GyreClient } from '#shared/contract/index'
import { refDebounced } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { useClient } from '../../api/client'

export type Preflight = Awaited<ReturnType<GyreClient['design']['preflight']>>
type Question = Parameters<GyreClient['design']['preflight']>[0] & { config: ConfigInput }

/** @param question null while there is nothing valid to ask. */
export function usePreflight(question: Ref<Question | null>): {
  result: ShallowRef<Preflight | null>
  error: ShallowRef<unknown>
  pending: Ref<boolean>
} {
  const client = useClient()
  const result = shallowRef<Preflight | null>(null)
  const error = shallowRef<unknown>(null)
  const pending = ref(false)
  let aborter: AbortController | undefined

  const text = computed(() => (question.value ? JSON.stringify(question.value) : null))
  const settled = refDebounced(text, 250)

  async function ask(value: Question | null): Promise<void> {
    aborter?.abort()
    error.value = null
    if (value === null) {
      result.value = null
      pending.value = false
      return
    }
    const controller = new AbortController()
    aborter = controller
    pending.value = true
    try {
      result.value = await client.design.preflight(value, { signal: controller.signal })
      pending.value = false
    } catch (thrown) {
      if (controller.signal.aborted || toGyreError(thrown).code === 'cancelled') return
      error.value = thrown
      result.value = null
      pending.value = false
    }
  }

  watch(settled, () => void ask(question.value), { immediate: true })
  onScopeDispose(() => aborter?.abort())
  return { result, error, pending }
}
