// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from 'vitest'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
  delete document.documentElement.dataset['theme']
})
const context = { signal: new AbortController().signal, connectionId: 'test' }
const says = (text: string): Promise<void> => until(() => app?.text().includes(text) === true, `"${text}"`)

describe('Settings', () => {
  it('changes the appearance at once and keeps it', async () => {
    app = await mountWindow('/settings')
    await says('Appearance')
    app.button('Dark').click()
    await until(() => document.documentElement.dataset['theme'] === 'dark', 'the theme')
    expect(app.service.calls).toContain('settings.set')
    app.button('Like the system').click()
    await until(() => document.documentElement.dataset['theme'] === undefined, 'the theme')
  })

  it('says which engine there is and why, and installs one with progress', async () => {
    app = await mountWindow('/settings', { wasmOnly: true })
    await says('not installed')
    app.button('Install').click()
    await says('install tensorflow-cpu')
    app.service.tick()
    await says('9 of 180 MB')
    for (let i = 0; i < 20; i += 1) app.service.tick()
    await until(() => app?.text().includes('not installed') === false, 'the engine')
  })

  it('shows what a self-test measured', async () => {
    app = await mountWindow('/settings')
    await says('Self-test')
    app.button('Self-test').click()
    await says('Every check agrees with known numbers.')
    expect(app.text()).toContain('8.4e-7')
  })

  it('says what keeping training apart buys, and keeps the choice', async () => {
    app = await mountWindow('/settings')
    await says('Gyre ends with it')
    app.button('In a process of its own').click()
    await says('only training ends')
    expect(app.service.calls).toContain('settings.set')
    expect((await app.service.handlers.settings.get(undefined, context)).trainerIsolation).toBe('process')
  })

  it('shows the library, and its folder only where that can be shown', async () => {
    app = await mountWindow('/settings')
    await says('/home/you/.local/share/Gyre')
    expect(() => app?.button('Show')).toThrow()
    app.close()
    app = await mountWindow('/settings', { kind: 'desktop' })
    await says('/home/you/.local/share/Gyre')
    app.button('Show').click()
    await until(() => app?.service.calls.includes('host.reveal') === true, 'the call')
  })
})
