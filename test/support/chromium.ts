// A headless Chromium that comes inside an npm package: no browser needs to be installed.
import sparticuz from '@sparticuz/chromium'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'

/** `apart`: page, compositor and browser in processes of their own, as people have them; for measuring. */
export async function launchChromium({ apart = false } = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: await sparticuz.executablePath(),
    // Nothing of the browser itself may call out, whatever the network allows.
    args: [
      ...sparticuz.args.filter((arg) => !apart || arg !== '--single-process'),
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    headless: true,
  })
}

export interface WatchedPage {
  page: Page
  context: BrowserContext
  /** Errors of the page and its console, in order; a test ends by expecting none. */
  problems: string[]
}

/** A page of 1440×900 that records errors, failed requests and requests to any other host. */
export async function openPage(
  browser: Browser,
  address: string,
  options: { colorScheme?: 'light' | 'dark'; width?: number; height?: number } = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.colorScheme ?? 'light',
    acceptDownloads: true,
  })
  const page = await context.newPage()
  const problems: string[] = []
  const origin = new URL(address).host
  page.on('pageerror', (error) => problems.push(`page error: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()}`)
  })
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (url.protocol.startsWith('http') && url.host !== origin)
      problems.push(`foreign request: ${request.url()}`)
  })
  await page.goto(address)
  return { page, context, problems }
}
