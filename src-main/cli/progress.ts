// The service's events as lines for people: one updating line on a terminal, else a line now and then.
import type { Job } from '#shared/contract/common'
import type { GyreEmit } from '#shared/contract/index'
import type { MetricsRecord, TrainRecord } from '#shared/contract/files'
import type { Output } from './output'

/** Between plain lines of one job, where no terminal updates in place. */
const plainEveryMs = 10_000

/** Where the work has not said what it is doing; elsewhere its title says it. */
const jobWords: Partial<Record<Job['kind'], string>> = {
  import: 'Importing images',
  prepare: 'Preparing images',
  train: 'Training',
}

/** `95` → `2 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}

const inMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`

function amount({ done, total, unit }: Job): string {
  const show = unit === 'bytes' ? inMegabytes : (value: number): string => String(Math.round(value))
  const noun = unit === 'bytes' || unit === '' ? '' : ` ${unit}`
  if (done === 0) return ''
  if (total > 0) return `${show(done)} of ${show(total)}${noun} (${Math.floor((100 * done) / total)} %)`
  return `${show(done)}${noun}`
}

function trainWords(record: TrainRecord, totalSteps: number): string {
  const left = record.stepsPerSecond > 0 ? (totalSteps - record.step) / record.stepsPerSecond : 0
  const eta = left > 0 ? `, ${duration(left)} left` : ''
  return `loss ${record.loss.toFixed(4)}, ${record.stepsPerSecond.toFixed(2)} steps/s${eta}`
}

function recordLine(record: MetricsRecord): string | null {
  if (record.kind === 'evaluation') {
    const { mse, psnr, usage, perplexity, quantizationError } = record.validation
    const figures = `mse ${mse.toFixed(4)}, psnr ${psnr.toFixed(2)} dB, usage ${(100 * usage).toFixed(1)} %`
    const best = record.best ? ' (best)' : ''
    return `Step ${record.step}: ${figures}, perplexity ${perplexity.toFixed(0)}, quantization error ${quantizationError.toFixed(4)}${best}`
  }
  if (record.kind === 'event' && record.event !== 'checkpoint' && record.message) return record.message
  return null
}

/** A listener for `service.bind` that writes to `output`; `evaluations: false` leaves out what runs record. */
export function progressTo(output: Output, { evaluations = true } = {}): GyreEmit {
  let latest: TrainRecord | null = null
  let toldAt = -Infinity
  let toldPhase = ''

  const onJob = (job: Job): void => {
    if (job.status !== 'running') {
      output.endProgress()
      toldPhase = ''
      return
    }
    const what = job.phase || jobWords[job.kind] || job.title
    const extra = job.kind === 'train' && latest ? trainWords(latest, job.total) : ''
    const line = [what, amount(job), extra].filter((part) => part !== '').join('  ')
    output.progress(line)
    if (output.isInteractive) return
    const phase = `${job.id} ${what}`
    if (phase === toldPhase && performance.now() - toldAt < plainEveryMs) return
    toldPhase = phase
    toldAt = performance.now()
    output.say(line)
  }

  return (topic, name, payload) => {
    if (topic === 'jobs' && name === 'onChange') onJob(payload as Job)
    if (!evaluations || topic !== 'runs' || name !== 'onRecord') return
    const { record } = payload as { record: MetricsRecord }
    if (record.kind === 'train') latest = record
    const line = recordLine(record)
    if (line !== null) output.say(line)
  }
}
