// @vitest-environment happy-dom
// A run for whose batches the memory was not enough: what is said, and the way to a design that fits.
import { afterEach, expect, it } from 'vitest'
import { fakeConfig, fakeRun } from '../../../support/fake-data'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
})

it('leads to a design with the batch size that fits', async () => {
  const run = fakeRun({
    status: 'failed',
    step: 0,
    best: null,
    last: null,
    config: fakeConfig({ batchSize: 512, codebookSize: 128 }),
    error: {
      code: 'out-of-memory',
      message: 'The memory is not enough for batches of 512 images.',
      hint: 'A batch size of 64 fits: it was tried just now. Start a new run with it.',
      batchSize: 64,
    },
  })
  app = await mountWindow(`/train/${run.id}`, { runs: [run] })
  const says = (text: string): Promise<void> => until(() => app?.text().includes(text) === true, text)
  await says('The memory is not enough for batches of 512 images. A batch size of 64 fits')
  app.button('Design with batch size 64').click()
  await until(() => app?.router.currentRoute.value.path === '/design', 'the Design page')
  await says('Before it starts')
  const drafted = JSON.parse(localStorage.getItem('gyre-design') ?? '{}') as { config: object }
  expect(drafted.config).toMatchObject({ batchSize: 64, codebookSize: 128 })
  expect(app.service.calls).not.toContain('runs.resume')
})
