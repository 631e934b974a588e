// The engines: which there are, which one a wish leads to, setting up and taking away, self-tests and measurements. What
// was tested stays while other pages are shown.
import type { EngineBenchmark, EngineStatus, EngineStorage, EngineTest } from '#shared/contract/engines'
import type { EngineWish, Job } from '#shared/contract/common'
import { toGyreError } from '#shared/contract/errors'
import type { EngineUsed } from '#shared/contract/files'
import { defineStore } from 'pinia'
import { computed, shallowRef, watch } from 'vue'
import { onEachConnection, useClient } from '../api/client'
import { useJobsStore } from './jobs'
import { useSettingsStore } from './settings'
import { useToastsStore } from './toasts'

type Id = EngineStatus['id']

/** A self-test: under way, over, or not to be had. */
export type TestState = { stop: AbortController } | { result: EngineTest } | { error: unknown }

export const useEnginesStore = defineStore('engines', () => {
  const client = useClient()
  const toasts = useToastsStore()
  const jobs = useJobsStore()
  const settings = useSettingsStore()
  const list = shallowRef<readonly EngineStatus[]>([])
  /** What the setting leads to now. */
  const chosen = shallowRef<EngineUsed | null>(null)
  /** Why the setting leads to no engine. */
  const refusal = shallowRef<unknown>(null)
  const storage = shallowRef<EngineStorage | null>(null)
  const benchmarks = shallowRef<readonly EngineBenchmark[]>([])
  const tests = shallowRef<Partial<Record<Id, TestState>>>({})

  const ofEngines = computed(() => jobs.list.filter((job) => job.engineId !== undefined))
  /** Sets an engine up, or measures one. */
  const working = computed(() => ofEngines.value.find((job) => job.status === 'running'))
  const testing = computed(() => Object.values(tests.value).some((state) => 'stop' in state))
  /** The latest work on an engine, in whatever state. */
  const jobOf = (id: Id): Job | undefined => ofEngines.value.findLast((job) => job.engineId === id)

  async function load(): Promise<void> {
    try {
      list.value = await client.engines.list()
      storage.value = await client.engines.storage()
      benchmarks.value = await client.engines.benchmarks()
    } catch (error) {
      toasts.fail(error)
    }
    try {
      chosen.value = await client.engines.chosen({ wish: settings.values.engine })
      refusal.value = null
    } catch (error) {
      chosen.value = null
      refusal.value = error
    }
  }

  const resolve = (wish: EngineWish): Promise<EngineUsed> => client.engines.chosen({ wish })

  /** What fails at once is told in a note; what fails later, by its job. */
  const started = (call: Promise<unknown>): Promise<void> => call.then(() => undefined, toasts.fail)
  const install = (id: Id): Promise<void> => started(client.engines.install({ id }))
  const benchmark = (id: Id): Promise<void> => started(client.engines.benchmark({ id }))

  /** Rejects with why it may not go now. */
  async function remove(id: Id): Promise<void> {
    await client.engines.remove({ id })
    await load()
  }

  /** Rejects with why it may not go now. */
  async function removeOlder(name: string): Promise<void> {
    await client.engines.removeOlder({ name })
    await load()
  }

  function setTest(id: Id, state: TestState | undefined): void {
    tests.value = { ...tests.value, [id]: state }
  }

  async function test(id: Id): Promise<void> {
    const stop = new AbortController()
    setTest(id, { stop })
    try {
      setTest(id, { result: await client.engines.test({ id }, { signal: stop.signal }) })
    } catch (error) {
      const cancelled = stop.signal.aborted || toGyreError(error).code === 'cancelled'
      setTest(id, cancelled ? undefined : { error })
    }
  }

  onEachConnection(() => void load())
  watch(
    [() => settings.values.engine, () => ofEngines.value.filter(({ status }) => status !== 'running').length],
    () => void load(),
  )

  return {
    ...{ list, chosen, refusal, storage, benchmarks, tests, working, testing },
    ...{ jobOf, load, resolve, install, benchmark, remove, removeOlder, test },
  }
})
