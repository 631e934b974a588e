// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from 'vitest'
import { GyreError } from '#shared/contract/errors'
import { fakeBenchmark, olderEngine } from '../../../support/fake-engines'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
  delete document.documentElement.dataset['theme']
})
const context = { signal: new AbortController().signal, connectionId: 'test' }
const says = (text: string): Promise<void> => until(() => app?.text().includes(text) === true, `"${text}"`)
const isGone = (text: string): Promise<void> =>
  until(() => app?.text().includes(text) === false, `"${text}" to go`)

/** The row of an engine. */
const row = (id: string): HTMLElement => {
  if (!app) throw new Error('no window')
  return app.find(`[data-engine="${id}"]`)
}
const buttonsOf = (element: HTMLElement): string[] =>
  [...element.querySelectorAll('button')].map((button) => button.textContent.trim())
function press(element: HTMLElement, name: string): void {
  const button = [...element.querySelectorAll('button')].find((one) => one.textContent.trim() === name)
  if (!button) throw new Error(`no button "${name}" among ${buttonsOf(element).join(', ')}`)
  button.click()
}
const dialog = (): HTMLElement => {
  if (!app) throw new Error('no window')
  return app.find('[role="dialog"]')
}

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

describe('the engines', () => {
  it('say which one is used and why, and why the others are not', async () => {
    app = await mountWindow('/settings')
    await says('New runs use this')
    expect(row('tensorflow-cpu').textContent).toContain('New runs use this')
    expect(row('tensorflow-cpu').textContent).toContain('853 MB on disk')
    expect(buttonsOf(row('tensorflow-cpu'))).toEqual(['Self-test', 'Measure, 1 minute', 'Remove…'])
    expect(row('wasm').textContent).toMatch(/New runs use TensorFlow CPU, which comes first/)
    expect(buttonsOf(row('wasm'))).toEqual(['Self-test', 'Measure, 1 minute'])
    for (const id of ['tensorflow-cuda', 'webgpu']) {
      expect(row(id).textContent).toMatch(
        /Can’t run here.*Not verified on hardware.*(There is no|No graphics card)/s,
      )
      expect(buttonsOf(row(id))).toEqual([])
    }
    expect(app.text()).not.toContain('Older engines')
  })

  it('follow the choice, and say so where it leads nowhere', async () => {
    const error = new GyreError('engine-unavailable', 'There is no NVIDIA card.', 'Choose another.')
    app = await mountWindow('/settings', { failing: { 'engines.chosen': error } })
    await says('There is no NVIDIA card.')
    expect(app.text()).not.toContain('New runs use this')
    expect(app.find('footer').textContent).toContain('No engine(There is no NVIDIA card)')
  })

  it('are installed after saying what that takes, with bytes on the way', async () => {
    app = await mountWindow('/settings', { wasmOnly: true })
    await says('Not installed')
    press(row('tensorflow-cpu'), 'Install…')
    await says('274 MB are downloaded')
    expect(dialog().textContent).toContain('takes 853 MB on disk; while it is being set up, 1.1 GB')
    expect(dialog().textContent).toContain('41.0 GB are free')
    expect(app.service.calls).not.toContain('engines.install')
    press(dialog(), 'Download and install')
    await says('0 B of 180 MB')
    app.service.tick()
    await says('9.0 MB of 180 MB')
    for (let i = 0; i < 20; i += 1) app.service.tick()
    await isGone('Not installed')
    expect(buttonsOf(row('tensorflow-cpu'))).toContain('Self-test')
  })

  it('can be left as they are, before the download and in the middle of it', async () => {
    app = await mountWindow('/settings', { wasmOnly: true })
    await says('Not installed')
    press(row('tensorflow-cpu'), 'Install…')
    await says('are downloaded')
    press(dialog(), 'Cancel')
    await isGone('are downloaded')
    expect(app.service.calls).not.toContain('engines.install')
    press(row('tensorflow-cpu'), 'Install…')
    await says('are downloaded')
    press(dialog(), 'Download and install')
    await says('0 B of 180 MB')
    press(row('tensorflow-cpu'), 'Cancel')
    await isGone('of 180 MB')
    expect(buttonsOf(row('tensorflow-cpu'))).toEqual(['Install…'])
  })

  it('are removed after a question, and not while something uses them', async () => {
    const failing = { 'engines.remove': new GyreError('busy', 'A run uses this engine.', 'Stop it.') }
    app = await mountWindow('/settings', { failing })
    await says('New runs use this')
    press(row('tensorflow-cpu'), 'Remove…')
    await says('This frees 853 MB.')
    press(dialog(), 'Remove')
    await says('A run uses this engine.')
    expect(row('tensorflow-cpu').textContent).toContain('853 MB on disk')
    Reflect.deleteProperty(failing, 'engines.remove')
    press(dialog(), 'Remove')
    await says('Not installed')
    expect(document.querySelector('[role="dialog"]')).toBeNull()
  })

  it('show what older versions left, and remove it', async () => {
    app = await mountWindow('/settings', { olderEngines: [olderEngine] })
    await says('Older engines')
    expect(app.text()).toContain('tensorflow-cpu-2.20.0-0a1b2c3d4e5f')
    expect(app.text()).toContain('812 MB')
    app.button(`Remove ${olderEngine.name}`).click()
    await says('This frees 812 MB.')
    press(dialog(), 'Remove')
    await isGone('Older engines')
    expect(app.service.calls).toContain('engines.removeOlder')
  })

  it('show what a self-test compared, also after a look at another page', async () => {
    app = await mountWindow('/settings')
    await says('New runs use this')
    press(row('tensorflow-cpu'), 'Self-test')
    await says('all 2 checks agree with known numbers.')
    await app.router.push('/runs')
    await isGone('Self-test')
    await app.router.push('/settings')
    await says('all 2 checks agree')
  })

  it('say why a test or a measurement is not made now', async () => {
    const busy = new GyreError('busy', 'The run “leaves” is being trained.', 'Wait until it is over.')
    app = await mountWindow('/settings', { failing: { 'engines.test': busy } })
    await says('New runs use this')
    press(row('wasm'), 'Self-test')
    await until(() => row('wasm').textContent.includes('“leaves” is being trained'), 'the reason')
    expect(buttonsOf(row('wasm'))).toContain('Self-test')
  })

  it('are measured, which can be cancelled, and keep the result beside them', async () => {
    app = await mountWindow('/settings', { benchmarks: [fakeBenchmark('wasm')] })
    await says('New runs use this')
    expect(row('wasm').textContent).toMatch(/Eager\s*2,510 ms\s*12.7/)
    expect(row('wasm').textContent).toContain('it has no compiled step')
    const native = row('tensorflow-cpu')
    press(native, 'Measure, 1 minute')
    await says('0 of 60 s')
    // One at a time.
    expect(
      [...row('wasm').querySelectorAll<HTMLButtonElement>('button:not(.term)')].every(
        ({ disabled }) => disabled,
      ),
    ).toBe(true)
    press(native, 'Cancel')
    await isGone('of 60 s')
    expect(native.textContent).not.toContain('Images/s')
    press(native, 'Measure, 1 minute')
    await says('0 of 60 s')
    for (let i = 0; i < 20; i += 1) app.service.tick()
    await until(() => native.textContent.includes('Images/s'), 'the result')
    expect(native.textContent).toMatch(/Eager\s*421 ms\s*75.9\s*Compiled\s*168 ms\s*190\s*Compiled, bfloat16/)
    expect(native.textContent).toMatch(/on Some Processor 3000, 2 threads/)
  })
})
