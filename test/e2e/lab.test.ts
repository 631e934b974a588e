// The Lab in a real Chromium: a vector is dragged and the angles are read, fields are compared, simulations play
// and repeat, pictures are saved. The page's content policy holds for its worker too.
import { readFile } from 'node:fs/promises'
import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { accessibilityProblems } from '../support/accessibility'
import { servedWindow } from '../support/served-window'
import { go, patience, picture } from '../support/window'

const open = servedWindow()

type Place = [x: number, y: number]
const length = ([x, y]: Place): number => Math.hypot(x, y)
const angle = (a: Place, b: Place): number =>
  (Math.acos((a[0] * b[0] + a[1] * b[1]) / (length(a) * length(b))) * 180) / Math.PI

const handle = (page: Page, name: string): Locator => page.getByRole('slider', { name })

/** Where a handle stands, as a screen reader hears it. */
async function placeOf(page: Page, name: string): Promise<Place> {
  const said = (await handle(page, name).getAttribute('aria-valuetext')) ?? ''
  const [x, y] = [...said.matchAll(/-?\d+\.\d+/g)].map(([number]) => Number(number))
  return [x ?? Number.NaN, y ?? Number.NaN]
}

async function numberIn(page: Page, estimator: string, kind: string): Promise<number> {
  const cell = page.locator(
    `[data-testid="lab-handed"] [data-estimator="${estimator}"] [data-number="${kind}"]`,
  )
  return Number((await cell.innerText()).replace(/[^\d.-]/g, ''))
}

/** What the table must say of e, q and g as they stand. */
async function expectLaws(page: Page): Promise<void> {
  const [e, q, g] = [
    await placeOf(page, 'Encoder output e'),
    await placeOf(page, 'Code q'),
    await placeOf(page, 'Gradient g'),
  ]
  const near = (estimator: string, kind: string, expected: number, within: number): Promise<void> =>
    expect
      .poll(async () => Math.abs((await numberIn(page, estimator, kind)) - expected), patience)
      .toBeLessThan(within)
  await near('rotation', 'angle', angle(q, g), 0.11)
  await near('rotation', 'length', (length(q) / length(e)) * length(g), 0.01)
  await near('ste', 'angle', angle(e, g), 0.11)
  await near('ste', 'length', length(g), 0.01)
}

async function drag(page: Page, name: string, by: Place): Promise<void> {
  const box = await handle(page, name).boundingBox()
  if (!box) throw new Error(`${name} is not on the page`)
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
  await page.mouse.move(x, y)
  await page.mouse.down()
  await page.mouse.move(x + by[0], y + by[1], { steps: 6 })
  await page.mouse.up()
}

async function saved(page: Page, button: string): Promise<Buffer> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button }).click(),
  ])
  return readFile(await download.path())
}

const rows = (page: Page, table: string): Locator => page.getByTestId(table).locator('tbody tr')

describe('the Lab', () => {
  it('opens from the rail, with every estimator that works on one vector', async () => {
    const { page } = open.watched
    await go(page, 'Lab')
    await page.getByTestId('lab-handed').waitFor()
    expect(await page.getByRole('checkbox').count()).toBeGreaterThanOrEqual(6)
    await expectLaws(page)
    await picture(page, 'lab-vector')
    expect(await accessibilityProblems(page)).toEqual([])
  })

  it('shows the angles of a vector that is dragged', async () => {
    const { page } = open.watched
    const before = await placeOf(page, 'Encoder output e')
    const angleBefore = await numberIn(page, 'ste', 'angle')
    await drag(page, 'Encoder output e', [-60, -80])
    const after = await placeOf(page, 'Encoder output e')
    expect(after[0]).toBeLessThan(before[0])
    expect(after[1]).toBeGreaterThan(before[1])
    await expectLaws(page)
    expect(await numberIn(page, 'ste', 'angle')).not.toBe(angleBefore)
    await drag(page, 'Gradient g', [30, 90])
    await drag(page, 'Code q', [-40, 10])
    await expectLaws(page)
  })

  it('moves it with the arrow keys just as well', async () => {
    const { page } = open.watched
    const before = await placeOf(page, 'Code q')
    await handle(page, 'Code q').focus()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Shift+ArrowLeft')
    const after = await placeOf(page, 'Code q')
    expect(after[0]).toBeCloseTo(before[0] - 0.25, 6)
    expect(after[1]).toBeCloseTo(before[1] + 0.05, 6)
    await expectLaws(page)
  })

  it('compares gradient fields with the gradient without a quantizer', async () => {
    const { page } = open.watched
    await page.getByRole('tab', { name: 'Gradient field' }).click()
    await expect.poll(() => rows(page, 'lab-field').count(), patience).toBe(4)
    // On x² + y² the rotation points where the function itself does; straight-through cannot.
    const cell = (estimator: string): Promise<string> =>
      page.locator(`[data-testid="lab-field"] [data-estimator="${estimator}"] td`).first().innerText()
    expect(await cell('rotation')).toBe('0.0°')
    expect(Number.parseFloat(await cell('ste'))).toBeGreaterThan(3)
    await picture(page, 'lab-field')
    await page.getByLabel('Function f').selectOption({ label: 'log |½x + tanh y|' })
    await expect.poll(async () => Number.parseFloat(await cell('rotation')), patience).toBeGreaterThan(1)
    expect(await accessibilityProblems(page)).toEqual([])
  })

  it('plays Himmelblau’s function to the end, and shows step 33 again', async () => {
    const { page } = open.watched
    await page.getByRole('tab', { name: 'Simulations' }).click()
    await expect.poll(() => rows(page, 'lab-now').count(), patience).toBe(2)
    await page.getByLabel('Speed').selectOption({ label: '60 steps/s' })
    await page.getByRole('button', { name: 'Play' }).click()
    await expect.poll(() => page.getByTestId('lab-step').innerText(), patience).toBe('100 / 100')
    const at100 = await rows(page, 'lab-now').allInnerTexts()
    await page.getByRole('button', { name: 'Show step 33' }).click()
    await expect.poll(() => page.getByTestId('lab-step').innerText(), patience).toBe('33 / 100')
    expect(await rows(page, 'lab-now').allInnerTexts()).not.toEqual(at100)
    await page.getByRole('button', { name: 'Show step 100', exact: true }).click()
    await expect.poll(() => rows(page, 'lab-now').allInnerTexts(), patience).toEqual(at100)
    await picture(page, 'lab-himmelblau')
    expect(await accessibilityProblems(page)).toEqual([])
  })

  it('says over 20 seeds who is lower, also where that is straight-through', async () => {
    const { page } = open.watched
    const mean = async (estimator: string): Promise<number> =>
      Number.parseFloat(
        await page
          .locator(`[data-testid="lab-repeated"] [data-estimator="${estimator}"] td`)
          .first()
          .innerText(),
      )
    await page.getByRole('button', { name: /^Repeat/ }).click()
    await page.getByTestId('lab-repeated').waitFor(patience)
    expect(await mean('rotation')).toBeLessThan(await mean('ste'))
    await page.getByLabel('Preset').selectOption({ label: '4 codes, narrow start' })
    await page.getByRole('button', { name: /^Repeat/ }).click()
    await page.getByTestId('lab-repeated').waitFor(patience)
    expect(await mean('ste')).toBeLessThan(await mean('rotation'))
    await picture(page, 'lab-repeated')
  })

  it('steps through the Voronoi regions and back', async () => {
    const { page } = open.watched
    await page.getByLabel('Simulation', { exact: true }).selectOption({ label: 'Voronoi regions' })
    await expect.poll(() => page.getByTestId('lab-step').innerText(), patience).toBe('0 / 25')
    await page.getByRole('button', { name: 'One step' }).click()
    await expect.poll(() => page.getByTestId('lab-step').innerText(), patience).toBe('1 / 25')
    await page.getByRole('button', { name: 'Back to the start' }).click()
    await expect.poll(() => page.getByTestId('lab-step').innerText(), patience).toBe('0 / 25')
  })

  it('saves its pictures as PNG and SVG', async () => {
    const { page } = open.watched
    const png = await saved(page, 'Save Voronoi regions as PNG')
    expect(png.subarray(1, 4).toString('latin1')).toBe('PNG')
    const svg = (await saved(page, 'Save Voronoi regions as SVG')).toString('utf8')
    expect(svg).toContain('Straight-through')
    expect(svg).toMatch(/stroke="rgb\(230, 159, 0\)"/)
    expect(svg).not.toMatch(/var\(--|data-v-/)
    expect((await saved(page, 'Save Distortion regions as SVG')).toString('utf8')).toContain('mean ‖e − q‖²')
  })

  it('does all this without an error in the page or its worker', () => {
    expect(open.watched.problems).toEqual([])
  })
})
