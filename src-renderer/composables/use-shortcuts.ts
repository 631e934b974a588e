// Keys that work everywhere: 1 to 8 places, / find, ? help, Esc up. A page's own keys stay with the page;
// what it has handled (`preventDefault`) is left alone, and so is typing.
import { useEventListener } from '@vueuse/core'
import { useRoute, useRouter } from 'vue-router'
import { places } from '../places'

/** True where keys mean text. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target instanceof HTMLTextAreaElement ||
      target instanceof HTMLSelectElement ||
      (target instanceof HTMLInputElement && !['checkbox', 'radio', 'range', 'button'].includes(target.type)))
  )
}

export function useShortcuts(actions: { help: () => void }): void {
  const router = useRouter()
  const route = useRoute()

  useEventListener(document, 'keydown', (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === 'Escape' && event.target instanceof HTMLElement && isTyping(event.target)) {
      event.target.blur()
      return
    }
    if (isTyping(event.target) || document.querySelector('[role="dialog"], [role="menu"]')) return
    if (event.key === '?') {
      actions.help()
    } else if (event.key === '/') {
      const find = document.querySelector<HTMLElement>('[data-find] input, input[data-find]')
      if (!find) return
      event.preventDefault()
      find.focus()
    } else if (event.key === 'Escape') {
      if (route.meta.up !== undefined) void router.push(route.meta.up)
    } else if (/^[1-9]$/.test(event.key)) {
      const place = places[Number(event.key) - 1]
      if (place) void router.push(place.path)
    }
  })
}
