// A browser on Gyre's window, served by a process of its own, for all tests of one file.
import { afterAll, beforeAll } from 'vitest'
import { launchChromium, openPage, type WatchedPage } from './chromium'
import { startServe, type Served } from './gyre-process'

/** Opened before the first test and closed after the last; until then there is nothing to read. */
export function servedWindow(): Readonly<{ served: Served; watched: WatchedPage }> {
  const open: { served?: Served; watched?: WatchedPage; close?: () => Promise<void> } = {}
  beforeAll(async () => {
    const browser = await launchChromium()
    open.close = () => browser.close()
    open.served = await startServe()
    open.watched = await openPage(browser, open.served.address)
  })
  afterAll(async () => {
    await open.served?.close()
    await open.close?.()
  })
  return open as { served: Served; watched: WatchedPage }
}
