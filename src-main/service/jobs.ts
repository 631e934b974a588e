// Long work that outlives the page that asked for it: a registry with progress, cancel and a bounded history.
// A change is sent at most ten times a second for each job; the last state always arrives.
import { randomBytes } from 'node:crypto'
import type { Job } from '#shared/contract/common'
import { GyreError, toGyreError } from '#shared/contract/errors'
import type { Bus } from './bus'

const intervalMs = 100
const keptJobs = 100

export type JobProgress = Partial<
  Pick<Job, 'title' | 'phase' | 'done' | 'total' | 'unit' | 'datasetId' | 'runId' | 'engineId'>
>

export interface JobContext {
  readonly signal: AbortSignal
  update(progress: JobProgress): void
}

export interface StartedJob<T> {
  id: string
  /** Settles with the work; a caller that does not care may ignore it. */
  finished: Promise<T>
}

interface Entry {
  job: Job
  controller: AbortController
  sentAt: number
  timer: NodeJS.Timeout | null
}

export class Jobs {
  readonly #entries = new Map<string, Entry>()
  readonly #bus: Bus

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** All running jobs and the latest ended ones, oldest first. */
  list(): Job[] {
    return [...this.#entries.values()].map((entry) => ({ ...entry.job }))
  }

  /**
   * Starts `work` at once. What it throws becomes the job's message; `finished` rejects with it as well. Cancelling
   * aborts `controller`, which may be one that other work shares.
   */
  start<T>(
    spec: Pick<Job, 'kind' | 'title'> & JobProgress,
    work: (context: JobContext) => Promise<T>,
    controller = new AbortController(),
  ): StartedJob<T> {
    const id = `job-${randomBytes(6).toString('hex')}`
    const job: Job = {
      phase: '',
      done: 0,
      total: 0,
      unit: '',
      ...spec,
      id,
      startedAt: new Date().toISOString(),
      status: 'running',
    }
    const entry: Entry = { job, controller, sentAt: 0, timer: null }
    this.#entries.set(id, entry)
    this.#changed(entry)
    const update = (progress: JobProgress): void => {
      if (job.status !== 'running') return
      Object.assign(job, progress)
      this.#changed(entry)
    }
    const finished = this.#settle(entry, work({ signal: controller.signal, update }))
    finished.catch(() => undefined)
    return { id, finished }
  }

  cancel(id: string): void {
    const entry = this.#entries.get(id)
    if (!entry) throw new GyreError('not-found', 'This task is not known any more.')
    entry.controller.abort(new GyreError('cancelled', 'Cancelled.'))
  }

  /** Cancels everything that runs and sends what was held back. */
  close(): void {
    for (const entry of this.#entries.values()) {
      if (entry.job.status === 'running')
        entry.controller.abort(new GyreError('cancelled', 'Gyre was closed.'))
      if (entry.timer) this.#send(entry)
    }
  }

  async #settle<T>(entry: Entry, work: Promise<T>): Promise<T> {
    const { job, controller } = entry
    try {
      const result = await work
      job.status = 'done'
      return result
    } catch (thrown) {
      const isAbort = thrown === controller.signal.reason || (thrown as Error).name === 'AbortError'
      const error =
        controller.signal.aborted && isAbort
          ? new GyreError('cancelled', 'Cancelled.', undefined, { cause: thrown })
          : toGyreError(thrown)
      job.status = error.code === 'cancelled' ? 'cancelled' : 'failed'
      job.message = error.message
      if (error.hint !== undefined) job.hint = error.hint
      throw error
    } finally {
      this.#changed(entry)
      this.#forgetOld()
    }
  }

  #changed(entry: Entry): void {
    if (entry.timer) return
    const wait = entry.sentAt + intervalMs - performance.now()
    if (entry.sentAt === 0 || wait <= 0) this.#send(entry)
    else entry.timer = setTimeout(() => this.#send(entry), wait)
  }

  #send(entry: Entry): void {
    if (entry.timer) clearTimeout(entry.timer)
    entry.timer = null
    entry.sentAt = performance.now()
    this.#bus.emit('jobs', 'onChange', { ...entry.job })
  }

  #forgetOld(): void {
    const ended = [...this.#entries.values()].filter(({ job, timer }) => job.status !== 'running' && !timer)
    for (const { job } of ended.slice(0, Math.max(0, ended.length - keptJobs))) this.#entries.delete(job.id)
  }
}
