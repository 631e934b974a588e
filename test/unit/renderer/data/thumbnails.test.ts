// @vitest-environment happy-dom
import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { effectScope, ref } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect } from '../../../../src-renderer/api/client'
import { useThumbnails } from '../../../../src-renderer/composables/use-thumbnails'
import { fakeDataset } from '../../../support/fake-data'
import { createFakeService } from '../../../support/fake-service'
import { until } from '../../../support/mount-window'

describe('useThumbnails', () => {
  const alive = new Set<string>()
  beforeEach(() => {
    setActivePinia(createPinia())
    alive.clear()
    let next = 0
    vi.spyOn(URL, 'createObjectURL').mockImplementation(() => {
      const url = `blob:${next++}`
      alive.add(url)
      return url
    })
    vi.spyOn(URL, 'revokeObjectURL').mockImplementation((url) => void alive.delete(url))
  })
  afterEach(() => vi.restoreAllMocks())

  it('asks in batches, forgets what is long unseen, and gives every address back', async () => {
    const service = createFakeService({ datasets: [fakeDataset()] })
    const connection = connect(() => service.open())
    const scope = effectScope()
    const id = ref('emoji')
    const thumbnails = scope.run(() => useThumbnails(id, 16, 100))
    if (!thumbnails) throw new Error('no scope')
    const range = (from: number): number[] => Array.from({ length: 60 }, (_, i) => from + i)

    thumbnails.want(range(0))
    await until(() => thumbnails.url(59) !== undefined, 'the first screen')
    expect(service.calls.filter((name) => name === 'datasets.thumbnails')).toHaveLength(2)
    expect(alive.size).toBe(60)

    thumbnails.want(range(1000))
    await until(() => thumbnails.url(1059) !== undefined, 'the second screen')
    expect(alive.size).toBeLessThanOrEqual(108)
    expect(thumbnails.url(0)).toBeUndefined()
    expect(thumbnails.url(1000)).toMatch(/^blob:/)

    id.value = 'other'
    expect(alive.size).toBe(0)
    scope.stop()
    await flushPromises()
    connection.close()
  })
})
