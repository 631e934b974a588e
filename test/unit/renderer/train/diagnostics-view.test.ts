// @vitest-environment happy-dom
// The Train page's Diagnostics: reached by one click, explained, readable without the pictures.
import { afterEach, expect, it } from 'vitest'
import { fakeConfig, fakeRun } from '../../../support/fake-data'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
})
const panels = (): string[] =>
  [...document.querySelectorAll('[data-testid^="chart-"]')].map(
    (one) => one.getAttribute('data-testid') ?? '',
  )
const panel = (name: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(`[data-testid="chart-${name}"]`)
  if (!found) throw new Error(`no panel ${name}`)
  return found
}
const says = (name: string, text: string): Promise<void> =>
  until(() => panel(name).textContent.includes(text), `"${text}" in ${name}`)

function choose(label: string): void {
  const all = [...document.querySelectorAll<HTMLElement>('[role="radio"]')]
  all.find((one) => one.textContent.trim() === label)?.click()
}

async function opened(options: Parameters<typeof mountWindow>[1] = {}): Promise<void> {
  app = await mountWindow('/train/run-1', options)
  await until(() => panels().includes('chart-loss'), 'the curves')
  choose('Diagnostics')
  await until(() => panels().includes('chart-lambda'), 'the diagnostics')
}

it('shows six panels in place of the curves, each with an explanation and a summary for screen readers', async () => {
  await opened()
  expect(panels()).toEqual(
    ['lambda', 'angle', 'length', 'obtuse', 'gradientCosine', 'revived'].map((name) => `chart-${name}`),
  )
  await says('lambda', 'near 1 is good')
  await says('angle', 'beyond 90°')
  await until(() => panel('lambda').querySelector('[role="img"]') !== null, 'the picture')
  expect(panel('lambda').querySelector('[role="img"]')?.getAttribute('aria-label')).toMatch(
    /^Length ratio λ\. Median of λ at step 1,000: /,
  )
  choose('Curves')
  await until(() => panels().includes('chart-loss'), 'the curves again')
})

it('gives the same numbers as a table', async () => {
  await opened()
  await says('angle', 'median')
  panel('angle').querySelector<HTMLElement>('button[aria-label="Show as a table"]')?.click()
  await until(() => panel('angle').querySelector('tbody tr') !== null, 'the table')
  const cells = [...(panel('angle').querySelector('tbody tr')?.children ?? [])].map((one) => one.textContent)
  expect(cells[0]).toBe('1,000')
  expect(cells.slice(1, 4).every((cell) => cell.endsWith('°'))).toBe(true)
})

it('switches between the lengths of vectors and of codes', async () => {
  await opened()
  await until(() => panel('length').querySelector('[role="img"]') !== null, 'the picture')
  const words = (): string => panel('length').querySelector('[role="img"]')?.getAttribute('aria-label') ?? ''
  expect(words()).toContain('Median of ‖e‖')
  choose('‖q‖')
  await until(() => words().includes('Median of ‖q‖'), 'the codes')
})

it('says so where codes are not revived, and where a run is older than diagnostics', async () => {
  await opened()
  await says('revived', 'Codes are not revived in this run.')
  app?.close()
  await opened({ runs: [fakeRun({ config: fakeConfig({ deadCodeThreshold: 1 }), step: 10 })] })
  await says('lambda', 'before diagnostics were kept')
  await says('revived', 'before diagnostics were kept')
})
