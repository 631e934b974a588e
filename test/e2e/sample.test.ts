// The same way with the images that come with the app, and a folder in which everything is wrong.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { accessibilityProblems } from '../support/accessibility'
import { makeBadFiles } from '../support/bad-files'
import { servedWindow } from '../support/served-window'
import { design, go, patience, picture, waitForStatus, waitForStep } from '../support/window'

/** Enough to see curves move; more makes better pictures for the README. */
const steps = Number(process.env.GYRE_E2E_STEPS ?? 30)
const long = { timeout: 3_600_000, interval: 500 }

const open = servedWindow()

describe('the sample images', () => {
  it('are there with their licence', async () => {
    const { page } = open.watched
    await page.getByRole('button', { name: 'Use the sample' }).click()
    await expect.poll(() => page.locator('main').innerText(), patience).toMatch(/Apache|MIT/)
    expect(await page.locator('main').innerText()).toMatch(/3,786 images/)
    await page.getByRole('button', { name: 'Got it' }).click()
    await picture(page, 'sample-data')
  })

  it('train with the preset and finish', async () => {
    const { page } = open.watched
    await page.getByRole('button', { name: 'Design a model' }).click()
    await design(page, { Steps: String(steps), 'Evaluate every': String(Math.ceil(steps / 20)) })
    await picture(page, 'sample-design')
    const start = page.getByRole('button', { name: `Train ${steps.toLocaleString('en')} steps` })
    await expect.poll(() => start.isEnabled(), patience).toBe(true)
    await start.click()
    await waitForStatus(page, /training|running/i)
    await expect.poll(() => page.getByTestId('status').innerText(), long).toMatch(/finished/i)
    await waitForStep(page, steps)
    await picture(page, 'sample-train')
  })

  it('show their codebook, light and dark, large and small', async () => {
    const { page } = open.watched
    await page.getByRole('button', { name: 'Inspect' }).click()
    await page.getByTestId('codebook-summary').waitFor({ timeout: 240_000 })
    const cells = page.getByTestId('code-grid').getByRole('gridcell')
    await expect.poll(() => cells.count(), patience).toBeGreaterThan(20)
    await cells.first().click()
    const panel = page.getByTestId('code-panel')
    await expect.poll(() => panel.locator('img').count(), patience).toBeGreaterThan(3)
    // Unused codes do not crowd out used ones: only part of the 1,024 is drawn at a time.
    expect(await cells.count()).toBeLessThan(600)
    await picture(page, 'sample-inspect')
    await page.emulateMedia({ colorScheme: 'dark' })
    await picture(page, 'sample-inspect-dark')
    await page.setViewportSize({ width: 1024, height: 700 })
    await picture(page, 'sample-inspect-dark-small')
    await go(page, 'Train')
    await page.getByTestId('samples').waitFor()
    await picture(page, 'sample-train-dark-small')
    await page.setViewportSize({ width: 1440, height: 900 })
    await page.emulateMedia({ colorScheme: 'light' })
  })

  it('leave a run in the list', async () => {
    const { page } = open.watched
    await go(page, 'Runs')
    await expect.poll(() => page.getByRole('row').count(), patience).toBe(2)
    expect(await page.locator('main').innerText()).toMatch(/finished/i)
    await picture(page, 'sample-runs')
    await go(page, 'Settings')
    await expect.poll(() => page.locator('main').innerText(), patience).toMatch(/WASM|WebAssembly/)
    await picture(page, 'sample-settings')
  })

  it('are shown accessibly in every place, light and dark', async () => {
    const { page } = open.watched
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const place of ['Data', 'Design', 'Train', 'Inspect', 'Export', 'Runs', 'Settings']) {
        await go(page, place)
        await page.getByRole('main').getByRole('heading').first().waitFor()
        expect(await accessibilityProblems(page), `${place}, ${colorScheme}`).toEqual([])
      }
    }
    await page.emulateMedia({ colorScheme: 'light' })
  })
})

describe('a folder of broken files', () => {
  it('is reported file by file, and nothing breaks', async () => {
    const { page } = open.watched
    const folder = await mkdtemp(join(tmpdir(), 'gyre-e2e-bad-'))
    try {
      const images = join(folder, 'broken')
      await mkdir(images)
      const made = await makeBadFiles(images)
      const refused = made.filter(({ fate }) => fate !== 'used' && fate !== 'ignored')
      expect(refused.length).toBeGreaterThanOrEqual(30)
      await go(page, 'Data')
      await page.getByRole('button', { name: 'Add images' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel(/path|folder on this computer/i).fill(images)
      await dialog
        .getByRole('button', { name: /add|import|read/i })
        .last()
        .click()
      await page.getByRole('heading', { name: 'broken' }).waitFor({ timeout: 120_000 })
      await expect
        .poll(() => page.locator('main').innerText(), patience)
        .toMatch(new RegExp(`Not used\\s+${refused.length}`))
      await picture(page, 'broken')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('without an error on the page or a request to another host', () => {
    expect(open.watched.problems).toEqual([])
  })
})
