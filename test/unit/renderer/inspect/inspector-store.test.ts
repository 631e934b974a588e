// @vitest-environment happy-dom
// What Inspect shows while the run behind it trains on, and `best` means another state from one question to the next.
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { contract } from '#shared/contract/index'
import { createHub, memoryPair } from '#shared/rpc/index'
import { connect } from '../../../../src-renderer/api/client'
import { useInspectorStore } from '../../../../src-renderer/stores/inspector'
import { fakeRun } from '../../../support/fake-data'
import { createFakeService } from '../../../support/fake-service'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let close: () => void
let app: MountedWindow | undefined
afterEach(() => {
  close()
  app?.close()
  app = undefined
})
beforeEach(() => {
  close = () => undefined
})

describe('a codebook that is opened while its run trains', () => {
  it('is the one of the step that was opened', async () => {
    setActivePinia(createPinia())
    const { handlers } = createFakeService({ runs: [fakeRun({ id: 'run-1', step: 500 })] })
    let best = 100
    const hub = createHub(contract, {
      ...handlers,
      inspector: {
        ...handlers.inspector,
        open: () => ({ jobId: null, step: best++ }),
        summary: async (target, context) =>
          target.checkpoint === 100 ? handlers.inspector.summary(target, context) : null,
      },
    })
    const connection = connect(() => {
      const [ours, theirs] = memoryPair()
      hub.attach(theirs)
      return Promise.resolve(ours)
    })
    close = () => connection.close()
    const inspector = useInspectorStore()
    await inspector.open({ runId: 'run-1', checkpoint: 'best' })
    expect(inspector.error).toBeNull()
    expect(inspector).toMatchObject({ phase: 'ready', shown: { runId: 'run-1', checkpoint: 100 } })
  })

  it('stays until a newer one is asked for, and is the newest for who comes back', async () => {
    const run = fakeRun({ id: 'run-1', step: 500, status: 'running' })
    app = await mountWindow('/inspect/run-1', { runs: [run] })
    const shows = (step: number): Promise<void> =>
      until(() => app?.text().includes(`step ${step}, over`) === true, `step ${step}`)
    await shows(500)
    app.service.setRun({ ...run, step: 750, last: run.last && { ...run.last, step: 750 } })
    await until(() => app?.text().includes('Show step 750') === true, 'the newer step')
    expect(app.text()).toContain('step 500, over')
    app.button('Show step 750').click()
    await shows(750)
    expect(app.text()).not.toContain('Show step')
    await app.router.push('/runs')
    app.service.setRun({ ...run, step: 1000, last: run.last && { ...run.last, step: 1000 } })
    await app.router.push('/inspect/run-1')
    await until(() => app?.text().includes('step 1,000, over') === true, 'the newest')
  })
})
