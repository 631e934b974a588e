// Words for what a person does and sees in the window, so that the browser tests read as a story.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** Generous: a busy machine is slow, a broken window stays broken. */
export const patience = { timeout: 240_000, interval: 200 }

/** Saves what is on screen as a PNG when GYRE_SCREENSHOTS names a folder. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.GYRE_SCREENSHOTS
  if (folder === undefined) return
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

export async function go(page: Page, place: string): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name: place, exact: true }).click()
}

/** Opens Design and writes values into its fields, by their labels; opens the drawer for those that are in there. */
export async function design(page: Page, values: Record<string, string>): Promise<void> {
  // Until the form is there, a field would seem to be in the drawer.
  await page.getByRole('button', { name: /^advanced/i }).waitFor()
  for (const [label, value] of Object.entries(values)) {
    const input = page.getByLabel(new RegExp(`^${label}(,|$)`)).first()
    if (!(await input.isVisible())) await page.getByRole('button', { name: /advanced/i }).click()
    await input.fill(value)
    await input.press('Enter')
  }
  if (await page.getByRole('dialog').isVisible()) await page.keyboard.press('Escape')
}

export async function stepNow(page: Page): Promise<number> {
  const shown = page.getByTestId('step')
  return (await shown.count()) === 0 ? -1 : Number((await shown.innerText()).replaceAll(/\D/g, ''))
}

export async function waitForStep(page: Page, step: number): Promise<void> {
  await expect.poll(() => stepNow(page), patience).toBeGreaterThanOrEqual(step)
}

export async function waitForStatus(page: Page, status: RegExp): Promise<void> {
  await expect.poll(() => page.getByTestId('status').innerText(), patience).toMatch(status)
}
