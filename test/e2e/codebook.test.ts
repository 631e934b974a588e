// The codebook browser on 16,384 codes: what it draws is what the codes decode to, every code can be reached with mouse
// and keyboard, and the page holds no more than what is seen.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accessibilityProblems } from '../support/accessibility'
import { launchChromium, openPage, type WatchedPage } from '../support/chromium'
import { startServe, type Served } from '../support/gyre-process'
import { makeLargeCodebook, type LargeCodebook } from '../support/large-codebook'
import { go, patience, picture } from '../support/window'

const codes = 16_384

let folder: string
let made: LargeCodebook
let browser: Browser
let served: Served
let watched: WatchedPage

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-codebook-'))
  const library = join(folder, 'library')
  made = await makeLargeCodebook(folder, library, { codes, images: 200 })
  browser = await launchChromium()
  served = await startServe({ library })
  watched = await openPage(browser, served.address)
})
afterAll(async () => {
  await served.close()
  await browser.close()
  await rm(folder, { recursive: true, force: true })
})

interface Drawn {
  code: number
  /** RGBA in the middle of its picture. */
  middle: number[]
}

/** The codes in the page, with the pixel that their row's canvas shows for each. */
function drawnCodes(page: Page): Promise<Drawn[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('[role="row"]')].flatMap((row) => {
      const canvas = row.querySelector('canvas')
      const context = canvas?.getContext('2d')
      if (!canvas || !context) return []
      return [...row.querySelectorAll<HTMLElement>('[data-code]')].map((cell, column) => ({
        code: Number(cell.dataset['code']),
        middle: [...context.getImageData(68 * column + 34, 30, 1, 1).data],
      }))
    }),
  )
}

/** The middle of a picture of 60 pixels. */
function expected(code: number): number[] {
  const at = Math.floor((30.5 * made.size) / 60)
  const pixel = code * made.size ** 2 + at * made.size + at
  return [...made.pixels.subarray(3 * pixel, 3 * pixel + 3), 255]
}

const opaque = (drawn: readonly Drawn[]): Drawn[] => drawn.filter(({ middle }) => middle[3] === 255)

it('shows what each code decodes to, those in use first', async () => {
  const { page } = watched
  await go(page, 'Inspect')
  expect(await page.getByTestId('codebook-summary').innerText()).toMatch(/16,384 codes/)
  await expect.poll(async () => opaque(await drawnCodes(page)).length, patience).toBeGreaterThan(20)
  const drawn = await drawnCodes(page)
  expect(drawn.map(({ code }) => code)).toEqual(made.order.slice(0, drawn.length))
  for (const { code, middle } of opaque(drawn)) expect(middle, `code ${code}`).toEqual(expected(code))
  // They differ, so that one drawn in another's place would be noticed.
  expect(new Set(opaque(drawn).map(({ middle }) => middle.join())).size).toBeGreaterThan(10)
  for (const title of ['Usage by rank', 'Uses per used code'])
    await page.getByRole('heading', { name: title }).waitFor()
  await picture(page, 'large-codebook')
  await page.emulateMedia({ colorScheme: 'dark' })
  await picture(page, 'large-codebook-dark')
})

it('has every code within reach of the keyboard, and in the page only what is seen', async () => {
  const { page } = watched
  const grid = page.getByTestId('code-grid')
  const columns = Number(await grid.getAttribute('aria-colcount'))
  expect(Number(await grid.getAttribute('aria-rowcount'))).toBe(Math.ceil(codes / columns))
  const chosen = async (): Promise<number> => {
    const cell = page.locator('[role="gridcell"][aria-selected="true"]')
    await expect.poll(() => cell.count(), patience).toBe(1)
    // The grid says where the keyboard is, and that is in the page.
    expect(await grid.getAttribute('aria-activedescendant')).toBe(await cell.getAttribute('id'))
    return Number(await cell.getAttribute('data-code'))
  }
  const rows = await grid.getByRole('row').count()
  await grid.focus()
  await page.keyboard.press('ArrowDown')
  expect(await chosen()).toBe(made.order[0])
  await page.keyboard.press('ArrowRight')
  expect(await chosen()).toBe(made.order[1])
  await page.keyboard.press('End')
  expect(await chosen()).toBe(made.order[codes - 1])
  await page.keyboard.press('Home')
  expect(await chosen()).toBe(made.order[0])
  // The panel beside the grid takes some of its columns.
  const beside = Number(await grid.getAttribute('aria-colcount'))
  expect(beside).toBeLessThan(columns)
  await page.keyboard.press('ArrowDown')
  expect(await chosen()).toBe(made.order[beside])
  await page.setViewportSize({ width: 1024, height: 700 })
  expect(await chosen()).toBe(made.order[beside])
  await picture(page, 'large-codebook-dark-small')
  await page.emulateMedia({ colorScheme: 'light' })
  await picture(page, 'large-codebook-small')
  await page.setViewportSize({ width: 1440, height: 900 })
  await page.keyboard.press('Escape')
  await expect.poll(() => grid.getAttribute('aria-colcount'), patience).toBe(String(columns))
  expect(await grid.getByRole('row').count()).toBeLessThanOrEqual(rows + 8)
})

it('shows other codes after scrolling, in the same few elements', async () => {
  const { page } = watched
  const grid = page.getByTestId('code-grid')
  const columns = Number(await grid.getAttribute('aria-colcount'))
  await page.evaluate("window.firstRow = document.querySelector('[role=row]')")
  await grid.evaluate((element) => (element.scrollTop = element.scrollHeight / 2))
  const firstRow = (): Promise<number> =>
    page.evaluate(() =>
      Math.min(
        ...[...document.querySelectorAll('[role="row"]')].map((row) =>
          Number(row.getAttribute('aria-rowindex')),
        ),
      ),
    )
  await expect.poll(firstRow, patience).toBeGreaterThan(codes / columns / 4)
  const from = (await firstRow()) - 1
  // Unused ones are drawn faintly, but drawn.
  const all = async (): Promise<Drawn[]> => (await drawnCodes(page)).filter(({ middle }) => middle[3] !== 0)
  const count = await grid.getByRole('gridcell').count()
  await expect.poll(async () => (await all()).length, patience).toBe(count)
  const shown = (await drawnCodes(page)).map(({ code }) => code).sort((a, b) => a - b)
  const wanted = made.order.slice(from * columns, from * columns + count).sort((a, b) => a - b)
  expect(shown).toEqual(wanted)
  expect(await page.evaluate('document.contains(window.firstRow)')).toBe(true)
  const cell = grid.getByRole('gridcell').first()
  const code = await cell.getAttribute('data-code')
  expect(await cell.getAttribute('aria-label')).toMatch(new RegExp(`^Code ${code} (dead|idle), not used$`))
  expect(await cell.getAttribute('title')).toMatch(/^(Dead|Idle): /)
  await cell.click()
  await expect
    .poll(() => page.getByTestId('code-panel').innerText(), patience)
    .toMatch(new RegExp(`Code ${code}\\b`))
  expect(await accessibilityProblems(page)).toEqual([])
  expect(watched.problems).toEqual([])
})
