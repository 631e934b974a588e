// @vitest-environment happy-dom
import { estimatorIds, quantizerIds } from '#shared/config/schema'
import { fieldInfo } from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import { afterEach, describe, expect, it } from 'vitest'
import {
  choiceNote,
  helpInWords,
  messageInWords,
  valueWord,
} from '../../../../src-renderer/pages/design/words'
import { fakeDataset, fakeRun } from '../../../support/fake-data'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
})
const says = (text: string): Promise<void> => until(() => app?.text().includes(text) === true, `"${text}"`)

/** The control under a visible label. */
function control(label: string): HTMLInputElement {
  const found = [...document.querySelectorAll('label')].find((one) =>
    one.textContent.trim().startsWith(label),
  )
  const element = document.getElementById(found?.getAttribute('for') ?? '')
  if (!element) throw new Error(`no field ${label}`)
  return element as HTMLInputElement
}
function type(label: string, value: string): void {
  const input = control(label)
  input.value = value
  input.dispatchEvent(new Event('input'))
  input.dispatchEvent(new Event('change'))
}

describe('Design', () => {
  it('says what the button will do and what it will cost', async () => {
    app = await mountWindow('/design')
    await says('Train 1,000 steps (about 3 min)')
    type('Steps', '5,000')
    await says('Train 5,000 steps (about 14 min)')
    expect(app.text()).toContain('654,499')
    expect(app.text()).toContain('16×16 = 256 tokens')
    expect(app.text()).toContain('38.4× fewer bits')
    expect(app.text()).toContain('3,407 to train, 379 for validation')
  })

  it('starts the run as designed and goes to Train', async () => {
    app = await mountWindow('/design')
    await says('Train 1,000 steps')
    type('Codebook size', '256')
    document.querySelector<HTMLElement>('[role="radio"][aria-label="Straight-through"]')?.click()
    type('Name of the run', 'small')
    await says('Nearest of 256 codes')
    app.find('[data-action="train"]').click()
    await until(() => app?.router.currentRoute.value.name === 'train', 'Train')
    const run = await app.service.handlers.runs.get(
      { id: String(app.router.currentRoute.value.params['id']) },
      { signal: new AbortController().signal, connectionId: 'test' },
    )
    expect(run).toMatchObject({ name: 'small', config: { codebookSize: 256, estimator: 'ste', steps: 1000 } })
  })

  it('marks a value out of range with its range, and starts nothing', async () => {
    app = await mountWindow('/design')
    await says('Train 1,000 steps')
    type('Image size', '65')
    await says('Takes a whole number from 8 to 512, a multiple of 4.')
    expect((app.find('[data-action="train"]') as HTMLButtonElement).disabled).toBe(true)
    app.button('Reset Image size').click()
    await until(() => !(app?.find('[data-action="train"]') as HTMLButtonElement).disabled, 'a valid design')
    expect(control('Image size').value).toBe('64')
  })

  it('fills every field from a preset and counts what differs from it', async () => {
    app = await mountWindow('/design')
    await says('Train 1,000 steps')
    const preset = control('Preset') as unknown as HTMLSelectElement
    preset.selectedIndex = 1
    preset.dispatchEvent(new Event('change'))
    await says('Train 10,000 steps')
    expect(app.text()).toContain('an evening on a laptop')
    app.button('Advanced…').click()
    await says('Advanced settings')
    type('Learning rate', '0.01')
    await says('Learning rates above 0.003 often diverge with Adam.')
    await says('(1 change)')
  })

  it('leaves out settings that do nothing, says so, and explains a choice in words', async () => {
    app = await mountWindow('/design')
    await says('Train 1,000 steps')
    app.button('Advanced…').click()
    await says('Advanced settings')
    const labels = (): string[] =>
      [...document.querySelectorAll('label')].map((one) => one.textContent.trim())
    expect(labels()).not.toContain('Channel multipliers')
    expect(app.find('[data-testid="idle-settings"]').textContent).toContain(
      'Channel multipliers, Attention at',
    )
    const quantizer = control('Quantizer') as unknown as HTMLSelectElement
    expect([...quantizer.options].map(({ text }) => text)).toContain('Soft convex')
    quantizer.selectedIndex = quantizerIds.indexOf('fsq')
    quantizer.dispatchEvent(new Event('change'))
    await says('Each number is rounded to one of a few levels; no codebook.')
    await says('FSQ has gradients of its own')
    expect(labels()).toContain('Levels')
    app.button('Reset Quantizer').click()
    await says('Each vector becomes the nearest code of one codebook.')
  })

  it('keeps the draft when the window is opened again', async () => {
    app = await mountWindow('/design')
    await says('Train 1,000 steps')
    type('Code dimension', '8')
    await says('16×16×8')
    const kept = localStorage.getItem('gyre-design') ?? ''
    app.close()
    localStorage.setItem('gyre-design', kept)
    app = await mountWindow('/design')
    await says('16×16×8')
  })

  it('arrives with the settings of a run to be changed', async () => {
    app = await mountWindow('/runs', {
      runs: [fakeRun({ config: { ...fakeRun().config, codebookSize: 300 } })],
    })
    await says('Runs')
    const { useDesignStore } = await import('../../../../src-renderer/stores/design')
    useDesignStore().copyRun(fakeRun({ config: { ...fakeRun().config, codebookSize: 300 } }))
    await app.router.push('/design')
    await says('As in “emoji · rotation · seed 0”')
    expect(control('Codebook size').value).toBe('300')
  })

  it('leads to Data when there are no images, and shows why a start failed', async () => {
    app = await mountWindow('/design', { datasets: [], runs: [] })
    await says('A model needs images first.')
    app.close()
    app = await mountWindow('/design', {
      datasets: [fakeDataset()],
      failing: { 'runs.create': new GyreError('no-space', 'The disk is full.', 'Free 2 GB.') },
    })
    await says('Train 1,000 steps')
    app.find('[data-action="train"]').click()
    await says('Free 2 GB.')
    expect(app.router.currentRoute.value.name).toBe('design')
  })
})

describe('words for choices', () => {
  it('has a name and a line for each estimator and quantizer', () => {
    for (const id of [...estimatorIds, ...quantizerIds]) expect(valueWord(id)).toMatch(/^[A-Z]/)
    for (const id of estimatorIds) expect(choiceNote('estimator', id)).toMatch(/\.$/)
    for (const id of quantizerIds) expect(choiceNote('quantizer', id)).toMatch(/\.$/)
    expect(choiceNote('schedule', 'linear')).toBeUndefined()
  })

  it('names estimators and quantizers in a message, and leaves English alone', () => {
    expect(messageInWords('gumbel needs a single codebook (quantizer vq): residual hands on codes.')).toBe(
      'Gumbel softmax needs a single codebook (quantizer “One codebook”): residual hands on codes.',
    )
    expect(messageInWords('soft_convex trains its codes by gradient.')).toBe(
      'Soft convex trains its codes by gradient.',
    )
    expect(messageInWords('A residual quantizer would do this.')).toBe('A residual quantizer would do this.')
  })

  it('names the choices in a help as the form does', () => {
    expect(helpInWords(fieldInfo('quantizer'))).toMatch(
      /^One codebook: one codebook\. .* FSQ, LFQ: a fixed grid/,
    )
    expect(helpInWords(fieldInfo('steps'))).toBe(fieldInfo('steps').help)
  })
})
