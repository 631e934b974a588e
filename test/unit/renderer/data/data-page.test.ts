// @vitest-environment happy-dom
import { GyreError } from '#shared/contract/errors'
import { afterEach, describe, expect, it } from 'vitest'
import { fakeDataset } from '../../../support/fake-data'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
})
const says = (text: string): Promise<void> => until(() => app?.text().includes(text) === true, `"${text}"`)

describe('Data', () => {
  it('is one sentence and two buttons while it is empty', async () => {
    app = await mountWindow('/data', { datasets: [] })
    await says('Drop a folder of images here')
    const buttons = [...app.find('.page-body').querySelectorAll('button')].map((one) =>
      one.textContent.trim(),
    )
    expect(buttons).toEqual(['Choose folder…', 'Use the sample'])
  })

  it('imports the sample with progress and shows it', async () => {
    app = await mountWindow('/data', { datasets: [] })
    await says('Use the sample')
    app.button('Use the sample').click()
    await says('import Emoji: reading files')
    app.service.tick()
    await says('190 of 3,786 files')
    for (let i = 0; i < 20; i += 1) app.service.tick()
    await says('Design a model')
    expect(app.router.currentRoute.value.path).toBe('/data/emoji')
    expect(app.text()).toContain('Noto Emoji by Google, Apache License 2.0')
    expect(app.text()).toContain('png 3,786')
  })

  it('does not keep the picture of another dataset while the new one has none', async () => {
    const failing: Record<string, GyreError> = {}
    app = await mountWindow('/data/emoji', {
      datasets: [fakeDataset(), fakeDataset({ id: 'birds', name: 'Birds' })],
      failing,
    })
    const original = 'img[alt="The chosen image as it is"]'
    await until(() => document.querySelector(original) !== null, 'the picture')
    failing['datasets.preview'] = new GyreError('unreadable', 'This image can’t be read.')
    await app.router.push('/data/birds')
    await says('This image can’t be read.')
    expect(document.querySelector(original)).toBeNull()
  })

  it('cancels an import', async () => {
    app = await mountWindow('/data', { datasets: [] })
    await says('Use the sample')
    app.button('Use the sample').click()
    await says('reading files')
    app.button('Cancel').click()
    await says('Drop a folder of images here')
  })

  it('picks a folder on the desktop and offers two ways in a browser', async () => {
    app = await mountWindow('/data', { datasets: [], kind: 'desktop' })
    await says('Choose folder…')
    app.button('Choose folder…').click()
    await says('import pictures')
    app.close()

    app = await mountWindow('/data', { datasets: [] })
    await says('Choose folder…')
    app.button('Choose folder…').click()
    await says('Path on that computer')
    const field = app.find('input[placeholder="/home/you/pictures"]') as HTMLInputElement
    field.value = '/data/birds'
    field.dispatchEvent(new Event('input'))
    await until(() => !(app?.button('Read') as HTMLButtonElement).disabled, 'the button')
    app.button('Read').click()
    await says('import birds')
  })

  it('names every file that is not used', async () => {
    app = await mountWindow('/data')
    await says('3 files, and why…')
    app.button('3 files, and why…').click()
    await says('3 files not used')
    await says('3 shown')
  })

  it('removes a dataset only after a question', async () => {
    app = await mountWindow('/data', { datasets: [fakeDataset({ name: 'Birds', kind: 'folder' })] })
    await says('Birds')
    app.button('Remove').click()
    await says('Your images stay where they are')
    expect(app.service.calls).not.toContain('datasets.remove')
    const confirm = [...document.querySelectorAll<HTMLElement>('[role="dialog"] button')].find(
      (one) => one.textContent.trim() === 'Remove',
    )
    confirm?.click()
    await says('Drop a folder of images here')
  })

  it('says why a dataset can’t be removed', async () => {
    app = await mountWindow('/data', {
      failing: { 'datasets.remove': new GyreError('busy', 'A run is using it.', 'Stop the run first.') },
    })
    await says('Design a model')
    app.button('Remove').click()
    await says('Gyre forgets this dataset')
    document.querySelectorAll<HTMLElement>('[role="dialog"] footer button')[1]?.click()
    await says('Stop the run first.')
  })

  it('offers to try again when the library can’t be read', async () => {
    const failing: Record<string, GyreError> = {
      'datasets.list': new GyreError('unreadable', 'The library can’t be read.'),
    }
    app = await mountWindow('/data', { failing })
    await says('The library can’t be read.')
    delete failing['datasets.list']
    app.button('Try again').click()
    await says('3,786 images')
  })

  it('shows the first card once and for good', async () => {
    app = await mountWindow('/data', { datasets: [], welcomeDismissed: false })
    await says('See the codebook it learnt.')
    app.button('Got it').click()
    await until(() => app?.text().includes('See the') === false, 'the card to go')
    await until(() => app?.service.calls.includes('settings.set') === true, 'the setting')
  })
})
