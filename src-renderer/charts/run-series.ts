// The curves of one run in columns, outside Vue's reactivity: records arrive many times a second, so readers
// watch `version` and redraw when they like. Knows nothing of charts, stores or the service.
import type {
  DiagnosticsRecord,
  EvaluationRecord,
  EventRecord,
  MetricsRecord,
  TrainRecord,
} from '#shared/contract/files'

/** Columns of the training records; a value that a record does not have is NaN. */
export const trainColumns = [
  'step',
  'epoch',
  'trainedMs',
  'loss',
  'mse',
  'commitmentLoss',
  'codebookLoss',
  'quantizationError',
  'learningRate',
  'gradientNorm',
  'stepsPerSecond',
  'imagesPerSecond',
  'dataWaitFraction',
  'usage',
  'perplexity',
  'dead',
  'revived',
] as const
export type TrainColumn = (typeof trainColumns)[number]

/** Columns that hold a position or a state: merging two rows keeps the later value, never a mean. */
const keepsLast: ReadonlySet<TrainColumn> = new Set(['step', 'epoch', 'trainedMs', 'dead'])

/** Each holds some hundred numbers. */
const maxDiagnostics = 1000
const keptAtStart = 16

export class RunSeries {
  /** Grows by one with every change. */
  version = 0
  latest: TrainRecord | null = null
  evaluations: EvaluationRecord[] = []
  events: EventRecord[] = []
  /** What passed the estimator, now and then. */
  diagnostics: DiagnosticsRecord[] = []
  private readonly data = new Map<TrainColumn, Float64Array>()
  private rows = 0

  /** Holds at most `capacity` training rows; then neighbours are merged two by two, so no stretch is lost. */
  constructor(private readonly capacity = 20_000) {
    if (capacity < 2 || capacity % 2 !== 0) throw new RangeError('capacity must be even and at least 2')
    for (const name of trainColumns) this.data.set(name, new Float64Array(Math.min(capacity, 1024)))
  }

  /** Number of training rows. */
  get length(): number {
    return this.rows
  }

  /** Largest step of any record; -1 when there is none. */
  get lastStep(): number {
    const train = this.rows > 0 ? (this.column('step')[this.rows - 1] ?? -1) : -1
    const others = [this.evaluations, this.events, this.diagnostics]
    return Math.max(train, ...others.map((records) => records.at(-1)?.step ?? -1))
  }

  /** The values of a column in the order of steps; a view that the next `add` may change. */
  column(name: TrainColumn): Float64Array {
    return this.storage(name).subarray(0, this.rows)
  }

  /** The newest number of a column that records do not always carry (usage, perplexity, dead). */
  newest(name: TrainColumn): number | null {
    const values = this.column(name)
    for (let row = values.length - 1; row >= 0; row--) {
      const value = values[row]
      if (value !== undefined && !Number.isNaN(value)) return value
    }
    return null
  }

  clear(): void {
    this.rows = 0
    this.latest = null
    this.evaluations = []
    this.events = []
    this.diagnostics = []
    this.version++
  }

  /** Adds records in order. A step that is already there is replaced, with all that came after it. */
  add(records: readonly MetricsRecord[]): void {
    for (const record of records) {
      if (record.kind === 'train') this.addTrain(record)
      else if (record.kind === 'evaluation') {
        dropFrom(this.evaluations, record.step)
        this.evaluations.push(record)
      } else if (record.kind === 'diagnostics') this.addDiagnostics(record)
      else this.addEvent(record)
    }
    if (records.length > 0) this.version++
  }

  private addEvent(record: EventRecord): void {
    const known = this.events.some(
      ({ step, event, trainedMs }) =>
        step === record.step && event === record.event && trainedMs === record.trainedMs,
    )
    if (!known) this.events.push(record)
  }

  private addDiagnostics(record: DiagnosticsRecord): void {
    dropFrom(this.diagnostics, record.step)
    // Half of them show the same picture; the first, the newest and the dense beginning stay.
    if (this.diagnostics.length >= maxDiagnostics)
      this.diagnostics = this.diagnostics.filter((_, i) => i < keptAtStart || i % 2 === 1)
    this.diagnostics.push(record)
  }

  private addTrain(record: TrainRecord): void {
    const steps = this.storage('step')
    while (this.rows > 0 && (steps[this.rows - 1] ?? 0) >= record.step) this.rows--
    if (this.rows === this.capacity) this.mergePairs()
    for (const name of trainColumns) this.writable(name)[this.rows] = record[name] ?? Number.NaN
    this.rows++
    this.latest = record
  }

  private storage(name: TrainColumn): Float64Array {
    return this.data.get(name) ?? new Float64Array(0)
  }

  private writable(name: TrainColumn): Float64Array {
    const old = this.storage(name)
    if (this.rows < old.length) return old
    const grown = new Float64Array(Math.min(this.capacity, old.length * 2))
    grown.set(old)
    this.data.set(name, grown)
    return grown
  }

  private mergePairs(): void {
    for (const name of trainColumns) {
      const values = this.storage(name)
      for (let row = 0; row < this.rows / 2; row++) {
        const first = values[2 * row] ?? Number.NaN
        const second = values[2 * row + 1] ?? Number.NaN
        values[row] = keepsLast.has(name) ? (Number.isNaN(second) ? first : second) : meanOf(first, second)
      }
    }
    this.rows /= 2
  }
}

function meanOf(first: number, second: number): number {
  if (Number.isNaN(first)) return second
  if (Number.isNaN(second)) return first
  return (first + second) / 2
}

function dropFrom(records: { step: number }[], step: number): void {
  while (records.length > 0 && (records.at(-1)?.step ?? -1) >= step) records.pop()
}
