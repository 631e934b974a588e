// How high a picture may be so that it fits the window under the Lab's tabs.
import { useWindowSize } from '@vueuse/core'
import { computed, type ComputedRef } from 'vue'

/** @param above Pixels that frame, heading and controls take above and below the picture. */
export function usePictureHeight(above: number): ComputedRef<number> {
  const { height } = useWindowSize()
  return computed(() => Math.max(280, height.value - above))
}
