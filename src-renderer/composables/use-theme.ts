// Which colours are shown now, for drawings that can't use CSS variables (canvas charts).
import { useMutationObserver, usePreferredDark } from '@vueuse/core'
import { computed, ref, type ComputedRef } from 'vue'

/** True while the dark colours are shown; follows the system and the setting. */
export function useDark(): ComputedRef<boolean> {
  const system = usePreferredDark()
  const theme = ref(document.documentElement.dataset['theme'])
  useMutationObserver(
    document.documentElement,
    () => (theme.value = document.documentElement.dataset['theme']),
    { attributes: true, attributeFilter: ['data-theme'] },
  )
  return computed(() => (theme.value === undefined ? system.value : theme.value === 'dark'))
}

/** The present value of a token of `tokens.css`, for example `--rotation`. */
export function token(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}
