import { describe, expect, it, vi } from 'vitest'
import type { Job } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { Bus } from '../../../src-main/service/bus'
import { Jobs } from '../../../src-main/service/jobs'

function setUp() {
  const bus = new Bus()
  const events: Job[] = []
  bus.bind((topic, _name, payload) => {
    if (topic === 'jobs') events.push(payload as Job)
  })
  return { jobs: new Jobs(bus), events }
}

describe('jobs', () => {
  it('reports a result and ends as done', async () => {
    const { jobs } = setUp()
    const { id, finished } = jobs.start({ kind: 'import', title: 'Photos' }, (job) => {
      job.update({ phase: 'Reading', done: 3, total: 3, unit: 'images' })
      return Promise.resolve(42)
    })
    expect(await finished).toBe(42)
    expect(jobs.list()).toMatchObject([{ id, status: 'done', phase: 'Reading', done: 3, total: 3 }])
  })

  it('keeps the words of a failure', async () => {
    const { jobs } = setUp()
    const { finished } = jobs.start({ kind: 'export', title: 'x' }, () =>
      Promise.reject(new GyreError('no-space', 'The disk is full.', 'Make room.')),
    )
    await expect(finished).rejects.toThrow('The disk is full.')
    expect(jobs.list()).toMatchObject([
      { status: 'failed', message: 'The disk is full.', hint: 'Make room.' },
    ])
  })

  it('is cancelled by its signal', async () => {
    const { jobs } = setUp()
    const { id, finished } = jobs.start(
      { kind: 'import', title: 'x' },
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
    )
    jobs.cancel(id)
    await expect(finished).rejects.toMatchObject({ code: 'cancelled' })
    expect(jobs.list()[0]?.status).toBe('cancelled')
    expect(() => jobs.cancel('job-none')).toThrow('not known')
  })

  it('sends at most ten changes a second, and always the last one', async () => {
    vi.useFakeTimers()
    try {
      const { jobs, events } = setUp()
      let update: (done: number) => void = () => undefined
      let finish: () => void = () => undefined
      const { finished } = jobs.start({ kind: 'import', title: 'x' }, (job) => {
        update = (done) => job.update({ done })
        return new Promise<void>((resolve) => (finish = resolve))
      })
      for (let i = 0; i < 500; i++) {
        update(i)
        await vi.advanceTimersByTimeAsync(4)
      }
      finish()
      await finished
      await vi.advanceTimersByTimeAsync(200)
      expect(events.length).toBeGreaterThan(15)
      expect(events.length).toBeLessThanOrEqual(23)
      expect(events.at(-1)).toMatchObject({ status: 'done', done: 499 })
    } finally {
      vi.useRealTimers()
    }
  })
})
