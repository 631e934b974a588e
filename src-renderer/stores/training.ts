// The run that is watched: its curves (outside reactivity, see RunSeries), its sample steps, and control of its
// training. Stays attached while other pages are shown; after a lost connection it fetches what it missed.
import type { MetricsRecord } from '#shared/contract/files'
import { defineStore } from 'pinia'
import { computed, markRaw, ref, shallowRef } from 'vue'
import { onEachConnection, useClient } from '../api/client'
import { RunSeries } from '../charts/run-series'
import { useRunsStore } from './runs'
import { useToastsStore } from './toasts'

/** Charts are told of new records at most this often. */
const redrawMs = 250
/** Training records of the first fetch; later ones come one by one. */
const maxPoints = 4000

export const useTrainingStore = defineStore('training', () => {
  const client = useClient()
  const runs = useRunsStore()
  const toasts = useToastsStore()

  const runId = ref<string | null>(null)
  /** Grows when the curves may be drawn again. */
  const version = ref(0)
  const loaded = ref(false)
  const error = shallowRef<unknown>(null)
  /** Steps with stored reconstructions, ascending. */
  const sampleSteps = shallowRef<readonly number[]>([])
  const sampleCount = ref(0)
  /** A control call is under way. */
  const busy = ref(false)
  const series = markRaw(new RunSeries())
  /** The curves, as a new object whenever they may be drawn again. */
  const curves = computed(() => ({ series, version: version.value }))
  const run = computed(() => (runId.value === null ? undefined : runs.byId(runId.value)))

  /** Events that arrive while older records are being fetched; null while none is. */
  let held: MetricsRecord[] | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let generation = 0

  function announce(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      version.value++
    }, redrawMs)
  }

  /** Shows this run; curves of another one are forgotten. */
  function attach(id: string): void {
    if (runId.value === id) return
    runId.value = id
    loaded.value = false
    sampleSteps.value = []
    sampleCount.value = 0
    series.clear()
    version.value++
    void fetchRecords()
  }

  async function fetchRecords(): Promise<void> {
    const id = runId.value
    if (id === null) return
    const mine = ++generation
    held = []
    try {
      // A run that went back to a checkpoint while we were away is read anew.
      const { step } = await client.runs.get({ id })
      if (mine !== generation) return
      if (step < series.lastStep) series.clear()
      // The last step again: several records may share it. Adding a known one changes nothing.
      const afterStep = Math.max(-1, series.lastStep - 1)
      const records = await client.runs.metrics({ id, afterStep, maxPoints })
      if (mine !== generation) return
      series.add(records)
      series.add(held)
      error.value = null
      loaded.value = true
      version.value++
      await fetchSampleSteps()
    } catch (thrown) {
      if (mine === generation) error.value = thrown
    } finally {
      if (mine === generation) held = null
    }
  }

  async function fetchSampleSteps(): Promise<void> {
    const id = runId.value
    if (id === null) return
    const { steps, count } = await client.runs.sampleSteps({ id })
    if (runId.value !== id) return
    sampleSteps.value = steps
    sampleCount.value = count
  }

  async function control(action: (id: string) => Promise<void>): Promise<void> {
    const id = runId.value
    if (id === null || busy.value) return
    busy.value = true
    try {
      await action(id)
    } catch (thrown) {
      toasts.fail(thrown)
    } finally {
      busy.value = false
    }
  }

  const pause = (): Promise<void> => control((id) => client.runs.pause({ id }))
  const stop = (): Promise<void> => control((id) => client.runs.stop({ id }))
  /** @param steps New total of steps; left out, the run's own. */
  const resume = (steps?: number): Promise<void> =>
    control((id) => client.runs.resume(steps === undefined ? { id } : { id, steps }))

  client.runs.onRecord(({ id, record }) => {
    if (id !== runId.value) return
    if (held) held.push(record)
    else series.add([record])
    announce()
    if (record.kind === 'evaluation') fetchSampleSteps().catch(toasts.fail)
  })
  client.runs.onChange(({ id, run }) => {
    if (id === runId.value && run === null) runId.value = null
  })
  onEachConnection(() => void fetchRecords())

  return {
    runId,
    run,
    curves,
    loaded,
    error,
    sampleSteps,
    sampleCount,
    busy,
    attach,
    retry: fetchRecords,
    pause,
    resume,
    stop,
  }
})
