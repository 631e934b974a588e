// The codebook that is being looked at: opens an inspection (a job), then holds its summary and the chosen code.
// Tiles and patches are fetched by the page that shows them.
import type { CheckpointRef, Job } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import type { CodebookSummary } from '#shared/contract/inspector'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { useClient } from '../api/client'
import { useJobsStore } from './jobs'

export interface InspectionTarget {
  runId: string
  checkpoint: CheckpointRef
}

export const useInspectorStore = defineStore('inspector', () => {
  const client = useClient()
  const jobs = useJobsStore()

  const target = shallowRef<InspectionTarget | null>(null)
  const phase = ref<'idle' | 'working' | 'ready' | 'cancelled' | 'failed'>('idle')
  const summary = shallowRef<CodebookSummary | null>(null)
  const error = shallowRef<unknown>(null)
  /** The target by its step: while the run trains, `best` may mean another one by the next question. */
  const shown = computed(
    (): InspectionTarget | null =>
      target.value && summary.value && { runId: target.value.runId, checkpoint: summary.value.step },
  )
  const jobId = ref<string | null>(null)
  const selected = ref<number | null>(null)
  const job = computed((): Job | undefined => (jobId.value === null ? undefined : jobs.byId(jobId.value)))
  let generation = 0

  /** Shows the codebook of this checkpoint; computes it first if nobody did. */
  async function open(next: InspectionTarget): Promise<void> {
    const mine = ++generation
    target.value = next
    summary.value = null
    selected.value = null
    error.value = null
    jobId.value = null
    phase.value = 'working'
    try {
      const opened = await client.inspector.open(next)
      if (mine !== generation) return
      jobId.value = opened.jobId
      if (opened.jobId !== null) {
        const ended = await jobs.whenOver(opened.jobId)
        if (mine !== generation) return
        if (ended.status === 'cancelled') {
          phase.value = 'cancelled'
          return
        }
        if (ended.status === 'failed')
          throw new GyreError('internal', ended.message ?? 'The inspection failed.', ended.hint)
      }
      const found = await client.inspector.summary({ ...next, checkpoint: opened.step })
      if (mine !== generation) return
      if (found === null) throw new GyreError('internal', 'The inspection left no result.', 'Open it again.')
      summary.value = found
      phase.value = 'ready'
    } catch (thrown) {
      if (mine !== generation) return
      error.value = thrown
      phase.value = 'failed'
    }
  }

  async function cancel(): Promise<void> {
    if (jobId.value !== null) await jobs.cancel(jobId.value)
  }

  function select(code: number | null): void {
    const size = summary.value?.codebookSize ?? 0
    selected.value = code !== null && code >= 0 && code < size ? code : null
  }

  return { target, shown, phase, summary, error, job, selected, open, cancel, select }
})
