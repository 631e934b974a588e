// The codebook browser on 16,384 codes that were looked at before: how long it takes to open in a service that was just
// started, and how many frames Chromium draws while it scrolls. Measures and reports; asserts nothing about time.
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { median } from '#shared/median'
import { ensureBuilt } from '../integration/cli/run-gyre'
import { launchChromium, openPage } from '../support/chromium'
import { startServe } from '../support/gyre-process'
import { makeLargeCodebook } from '../support/large-codebook'
import { report } from './report'
import { scrollFrames, traceCategories, type ScrollFrames } from './scroll-trace'

const rounds = Number(process.env.GYRE_BENCH_ROUNDS ?? 5)
const codes = Number(process.env.GYRE_BENCH_CODES ?? 16_384)
/** CSS pixels a second: 23 rows, faster than anybody reads and slower than a fling. */
const speed = 2000
const distance = 8000

let folder: string
let library: string
beforeAll(async () => {
  await ensureBuilt()
  folder = await mkdtemp(join(tmpdir(), 'gyre-bench-'))
  library = join(folder, 'library')
  await makeLargeCodebook(folder, library, { codes, images: 200 })
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

interface Watched {
  /** Canvases that were given a picture with its last tile. */
  painted: WeakSet<HTMLCanvasElement>
}

/** Notes what is painted as it happens: reading a canvas back would wait for the graphics process, and be measured. */
function watchPainting(): void {
  const watched = window as unknown as Watched
  const painted = (watched.painted = new WeakSet())
  const context = CanvasRenderingContext2D.prototype
  const put: CanvasRenderingContext2D['putImageData'] = Reflect.get(context, 'putImageData')
  context.putImageData = function (this: CanvasRenderingContext2D, ...given: unknown[]): void {
    const [image] = given as [ImageData]
    Reflect.apply(put, this, given)
    // Transparent until the tile has come; 34 pixels from the edge is the middle of the last one.
    const alpha = image.data[4 * (image.width * 30 + image.width - 34) + 3]
    if (this.canvas instanceof HTMLCanvasElement && alpha !== 0) painted.add(this.canvas)
  }
}

/** Clicks on “Inspect” and waits in the page, frame by frame, until every row of codes is painted. */
function open(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((done) => {
        const startedAt = performance.now()
        const { painted } = window as unknown as Watched
        const links = [...document.querySelectorAll<HTMLElement>('nav a')]
        links.find((one) => one.textContent.trim() === 'Inspect')?.click()
        const look = (): void => {
          const rows = [...document.querySelectorAll<HTMLCanvasElement>('[role="row"] canvas')]
          if (rows.length < 4 || !rows.every((canvas) => painted.has(canvas))) requestAnimationFrame(look)
          // Two frames later it is on the screen.
          else requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - startedAt)))
        }
        look()
      }),
  )
}

async function round(): Promise<{ openMs: number; againMs: number; scroll: ScrollFrames }> {
  const served = await startServe({ library })
  const browser = await launchChromium({ apart: true })
  try {
    const { page, context, problems } = await openPage(browser, served.address)
    await page.getByRole('navigation').getByRole('link', { name: 'Inspect' }).waitFor()
    await page.evaluate(watchPainting)
    const openMs = await open(page)
    await page.getByRole('navigation').getByRole('link', { name: 'Runs' }).click()
    await page.getByTestId('code-grid').waitFor({ state: 'detached' })
    const againMs = await open(page)
    const box = await page.getByTestId('code-grid').boundingBox()
    if (!box) throw new Error('The grid is not on the page.')
    const session = await context.newCDPSession(page)
    await browser.startTracing(page, { screenshots: false, categories: traceCategories })
    await session.send('Input.synthesizeScrollGesture', {
      x: box.x + box.width / 2,
      y: box.y + box.height / 2,
      yDistance: -distance,
      speed,
      gestureSourceType: 'mouse',
      preventFling: true,
    })
    const scroll = scrollFrames((await browser.stopTracing()).toString())
    expect(await page.getByTestId('code-grid').evaluate(({ scrollTop }) => scrollTop)).toBe(distance)
    expect(problems).toEqual([])
    return { openMs, againMs, scroll }
  } finally {
    await browser.close()
    await served.close()
  }
}

it('opens and scrolls', async () => {
  const measured: Awaited<ReturnType<typeof round>>[] = []
  for (let i = 0; i < rounds; i++) measured.push(await round())
  const middle = (pick: (one: (typeof measured)[number]) => number): number =>
    Math.round(10 * median(measured.map(pick))) / 10
  await report('inspect', {
    codes,
    rounds,
    // What else the machine did: above its cores, every time here is too long.
    loadAverage: loadavg()[0],
    openMs: middle(({ openMs }) => openMs),
    openAgainMs: middle(({ againMs }) => againMs),
    framesPerSecond: middle(({ scroll }) => scroll.framesPerSecond),
    frameMs: middle(({ scroll }) => scroll.medianMs),
    speedPixelsPerSecond: speed,
    measured,
  })
})
