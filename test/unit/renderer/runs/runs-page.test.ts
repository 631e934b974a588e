// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from 'vitest'
import { fakeConfig, fakeRun } from '../../../support/fake-data'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
})
const says = (text: string): Promise<void> => until(() => app?.text().includes(text) === true, `"${text}"`)
const names = (): string[] =>
  [...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('a')?.textContent.trim() ?? '')

const two = [
  fakeRun({ id: 'one', name: 'first', createdAt: '2025-01-01T00:00:00Z' }),
  fakeRun({
    id: 'two',
    name: 'second',
    createdAt: '2025-01-02T00:00:00Z',
    config: fakeConfig({ estimator: 'ste' }),
    status: 'diverged',
    best: null,
    error: { code: 'diverged', message: 'The loss became infinite.' },
  }),
]

async function openMenu(run: string, entry: string): Promise<void> {
  const trigger = app?.button(`Actions for ${run}`)
  trigger?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }))
  await until(() => document.querySelector('[role="menu"]') !== null, 'the menu')
  const item = [...document.querySelectorAll<HTMLElement>('[role="menuitem"]')].find((one) =>
    one.textContent.includes(entry),
  )
  item?.click()
}

describe('Runs', () => {
  it('lists runs newest first and sorts by a column', async () => {
    app = await mountWindow('/runs', { runs: two })
    await says('second')
    expect(names()).toEqual(['second', 'first'])
    expect(app.text()).toContain('diverged')
    app.button('Name').click()
    await until(() => names()[0] === 'first', 'the other order')
    expect(app.find('th.name').getAttribute('aria-sort')).toBe('ascending')
  })

  it('follows what happens elsewhere', async () => {
    app = await mountWindow('/runs', { runs: two })
    await says('second')
    await app.service.handlers.runs.update(
      { id: 'one', name: 'renamed elsewhere' },
      { signal: new AbortController().signal, connectionId: 'other' },
    )
    await says('renamed elsewhere')
  })

  it('finds runs', async () => {
    app = await mountWindow('/runs', { runs: two })
    await says('second')
    const field = app.find('input[type="search"]') as HTMLInputElement
    field.value = 'ste'
    field.dispatchEvent(new Event('input'))
    await says('1 run found')
    expect(names()).toEqual(['second'])
  })

  it('renames in place', async () => {
    app = await mountWindow('/runs', { runs: two })
    await says('second')
    await openMenu('first', 'Rename')
    await until(() => document.querySelector('input[aria-label="Name of the run"]') !== null, 'the field')
    const field = app.find('input[aria-label="Name of the run"]') as HTMLInputElement
    field.value = 'better name'
    field.dispatchEvent(new Event('input'))
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }))
    await until(() => names().includes('better name'), 'the new name')
    expect(app.service.calls).toContain('runs.update')
  })

  it('duplicates into Design', async () => {
    app = await mountWindow('/runs', { runs: two })
    await says('second')
    await openMenu('second', 'Duplicate')
    await says('As in “second”')
    expect(
      document.querySelector('[role="radio"][aria-label="Straight-through"]')?.getAttribute('aria-checked'),
    ).toBe('true')
  })

  it('moves to the trash only after a question', async () => {
    app = await mountWindow('/runs', { runs: two })
    await says('second')
    await openMenu('first', 'Move to trash')
    await says('Move first to the trash?')
    expect(app.service.calls).not.toContain('runs.remove')
    app.button('Move to trash').click()
    await until(() => names().length === 1, 'the run to go')
  })

  it('says what to do while there is none', async () => {
    app = await mountWindow('/runs', { runs: [] })
    await says('Nothing has been trained yet.')
  })
})
