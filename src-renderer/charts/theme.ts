// The window's colours for charts: a canvas can't read CSS variables itself, so they are read again when the
// theme changes.
import { computed, type ComputedRef } from 'vue'
import { token, useDark } from '../composables/use-theme'

const names = [
  'text',
  'text-soft',
  'text-faint',
  'line',
  'line-strong',
  'panel',
  'rotation',
  'ste',
  'dead',
  'series-3',
  'series-4',
  'series-5',
] as const
export type ColourToken = (typeof names)[number]
export type ChartColours = Readonly<Record<ColourToken, string>> & {
  readonly dark: boolean
  readonly font: string
}

function readColours(dark: boolean): ChartColours {
  const colours = Object.fromEntries(names.map((name) => [name, token(`--${name}`) || '#808080'])) as Record<
    ColourToken,
    string
  >
  return { ...colours, dark, font: token('--font') || 'sans-serif' }
}

/** Present values of the tokens of `styles/tokens.css`. */
export function useChartColours(): ComputedRef<ChartColours> {
  const dark = useDark()
  return computed(() => readColours(dark.value))
}
