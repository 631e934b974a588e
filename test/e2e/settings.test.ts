// The engines in the settings, in a real Chromium against `gyre serve`: what is there and why, a self-test that computes,
// and a measurement that is cancelled and leaves nothing.
import { readdir } from 'node:fs/promises'
import type { Locator } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { accessibilityProblems } from '../support/accessibility'
import { servedWindow } from '../support/served-window'
import { go, patience, picture } from '../support/window'

const open = servedWindow()

const wasm = (): Locator => open.watched.page.locator('[data-engine="wasm"]')

describe('the engines', () => {
  it('are listed with what is used and why, also in the line at the bottom', async () => {
    const { page } = open.watched
    await go(page, 'Settings')
    await page.getByText('New runs use this').waitFor()
    expect(await page.locator('[data-engine]').count()).toBe(4)
    const used = page.locator('[data-engine]', { hasText: 'New runs use this' })
    expect(await used.count()).toBe(1)
    expect(await used.innerText()).toContain('The best of those that run here.')
    const reason = await page.locator('footer a.engine').getAttribute('title')
    expect(reason?.length).toBeGreaterThan(20)
    expect(await accessibilityProblems(page)).toEqual([])
    await picture(page, 'settings')
  })

  it('follow the choice', async () => {
    const { page } = open.watched
    await page.getByLabel('New runs use').selectOption('wasm')
    await expect.poll(() => wasm().innerText(), patience).toMatch(/New runs use this[^]*You chose it\./)
    await page.getByLabel('New runs use').selectOption('auto')
    await expect.poll(() => page.getByText('The best of those that run here.').count(), patience).toBe(1)
  })

  it('are tested, check by check', async () => {
    await wasm().getByRole('button', { name: 'Self-test' }).click()
    await expect.poll(() => wasm().innerText(), patience).toMatch(/all \d+ checks agree with known numbers/)
    await wasm().locator('summary').click()
    expect(await wasm().locator('tbody tr').count()).toBeGreaterThan(20)
    expect(await wasm().getByText('differs').count()).toBe(0)
  })

  it('are measured; cancelled, that leaves nothing', async () => {
    await wasm().getByRole('button', { name: 'Measure, 1 minute' }).click()
    await wasm().getByRole('progressbar').waitFor()
    await wasm().getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(() => wasm().getByRole('progressbar').count(), patience).toBe(0)
    expect(await wasm().getByText('Images/s').count()).toBe(0)
    expect(await readdir(open.served.library)).not.toContain('benchmarks.json')
  })

  it('did all this without an error on the page or a request to another host', () => {
    expect(open.watched.problems).toEqual([])
  })
})
