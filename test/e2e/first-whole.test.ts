// A person's way through Gyre, in a real Chromium against `gyre serve`: a dropped folder, a design, training that
// moves, a reload, pause, resume, stop and keep, the codebook, an export that Python can read.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium, openPage, type WatchedPage } from '../support/chromium'
import { dropOnPage } from '../support/drop'
import { startServe, type Served } from '../support/gyre-process'
import { pythonWith } from '../support/python'
import { copyEmoji } from '../support/sample'
import { design, go, patience, picture, stepNow, waitForStatus, waitForStep } from '../support/window'

let browser: Browser
let served: Served
let watched: WatchedPage
let folder: string

beforeAll(async () => {
  browser = await launchChromium()
  served = await startServe()
  folder = await mkdtemp(join(tmpdir(), 'gyre-e2e-'))
})

afterAll(async () => {
  await served.close()
  await browser.close()
  await rm(folder, { recursive: true, force: true })
})

describe('a dropped folder of 200 images', () => {
  it('opens on an empty Data page without a problem', async () => {
    watched = await openPage(browser, served.address)
    const { page } = watched
    await page.getByRole('heading', { name: 'Drop a folder of images here' }).waitFor()
    // The token leaves the address bar at once.
    expect(page.url()).not.toContain('token')
    await picture(page, 'data-empty')
  })

  it('imports what was dropped', async () => {
    const { page } = watched
    const images = join(folder, 'my emoji')
    await copyEmoji(images, 200)
    await dropOnPage(page, [images])
    await page.getByRole('heading', { name: 'my emoji' }).waitFor({ timeout: 120_000 })
    await expect.poll(() => page.locator('main').innerText(), patience).toMatch(/200 images/)
    await expect.poll(() => page.locator('main img').count(), patience).toBeGreaterThan(20)
    await picture(page, 'data')
    expect((await readdir(images)).length).toBe(200)
  })

  it('is designed and trains: curves and reconstructions move', async () => {
    const { page } = watched
    await page.getByRole('button', { name: 'Design a model' }).click()
    await page.getByRole('button', { name: /^Train [\d,]+ steps/ }).waitFor()
    await picture(page, 'design')
    const small = { 'Image size': '32', 'Codebook size': '64', 'Batch size': '8', Steps: '4000' }
    await design(page, { ...small, Channels: '32', 'Evaluate every': '10' })
    await expect
      .poll(() => page.getByRole('button', { name: /^Train 4,000 steps/ }).isEnabled(), patience)
      .toBe(true)
    await page.getByRole('button', { name: /^Train 4,000 steps/ }).click()
    await waitForStatus(page, /training|running/i)
    await waitForStep(page, 20)
    await expect.poll(() => page.getByTestId('samples').locator('img').count(), patience).toBe(24)
    const now = page.getByTestId('samples').locator('img').last()
    const before = await now.getAttribute('src')
    await expect.poll(() => now.getAttribute('src'), patience).not.toBe(before)
    const chart = page.locator('main canvas').first()
    const drawn = await chart.screenshot()
    await expect.poll(async () => drawn.equals(await chart.screenshot()), patience).toBe(false)
    await picture(page, 'train')
  })

  it('goes on while the page is reloaded, and the page comes back to it', async () => {
    const { page } = watched
    const before = await stepNow(page)
    await page.reload()
    await waitForStep(page, before + 10)
    await waitForStatus(page, /training|running/i)
    await expect.poll(() => page.getByTestId('samples').locator('img').count(), patience).toBe(24)
  })

  it('pauses, and goes on', async () => {
    const { page } = watched
    await page.getByRole('button', { name: 'Pause' }).click()
    await waitForStatus(page, /paused/i)
    const paused = await stepNow(page)
    await picture(page, 'train-paused')
    await page.getByRole('button', { name: 'Resume' }).click()
    await waitForStep(page, paused + 5)
  })

  it('stops and keeps', async () => {
    const { page } = watched
    await page.getByRole('button', { name: 'Stop and keep' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Stop and keep' }).click()
    await waitForStatus(page, /stopped/i)
    await picture(page, 'train-stopped')
  })

  it('shows the codebook: dead codes and nearest samples', async () => {
    const { page } = watched
    await page.getByRole('button', { name: 'Inspect' }).click()
    const summary = page.getByTestId('codebook-summary')
    await summary.waitFor({ timeout: 120_000 })
    expect(await summary.innerText()).toMatch(/64 codes/)
    await expect.poll(() => page.getByTestId('code-grid').getByRole('gridcell').count(), patience).toBe(64)
    // An untrained quarter of the codebook is certain to be dead after a few hundred steps on small batches.
    await page.getByRole('radio', { name: /^dead/ }).click()
    const dead = Number(/([\d,]+)\s+dead/.exec(await summary.innerText())?.[1])
    expect(dead).toBeGreaterThan(0)
    await expect.poll(() => page.getByTestId('code-grid').getByRole('gridcell').count(), patience).toBe(dead)
    await page.getByRole('radio', { name: /^used/ }).click()
    await page.getByTestId('code-grid').getByRole('gridcell').first().click()
    const panel = page.getByTestId('code-panel')
    await expect.poll(() => panel.locator('img').count(), patience).toBeGreaterThan(3)
    const words = await panel.innerText()
    expect(words).toMatch(/\.png/)
    expect(words).toMatch(/row \d+, column \d+/)
    const distances = Array.from(words.matchAll(/^distance ([\d.e-]+)/gm), (match) => Number(match[1]))
    expect(distances.length).toBeGreaterThan(3)
    expect(distances).toEqual(distances.toSorted((a, b) => a - b))
    await picture(page, 'inspect')
  })

  it('exports a file that Python opens', async (context) => {
    const { page } = watched
    await go(page, 'Export')
    const names: string[] = []
    page.on('download', (download) => {
      const name = download.suggestedFilename()
      void download.saveAs(join(folder, name)).then(() => names.push(name))
    })
    await page.getByRole('button', { name: 'Download both files' }).click()
    await expect
      .poll(() => names.toSorted().join(), patience)
      .toMatch(/config\.json,.*model\.safetensors|config.*,.*safetensors/)
    await picture(page, 'export')
    const python = await pythonWith(['safetensors', 'numpy'])
    if ('missing' in python) return context.skip(python.missing)
    const file = join(folder, names.find((name) => name.endsWith('.safetensors')) ?? '')
    const code = `import sys; from safetensors.numpy import load_file; t = load_file(sys.argv[1]); print(t['codebook'].shape, len(t))`
    expect(await python.run(['-c', code, file])).toMatch(/^\(64, 32\) \d+/)
  })

  it('did all this without an error on the page or a request to another host', () => {
    expect(watched.problems).toEqual([])
  })
})
