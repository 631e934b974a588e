// The columns of the run table: what they show and how they sort. Pure.
import type { RunFile } from '#shared/contract/files'
import { statusWord } from '../../stores/run-status'

export type ColumnId =
  'name' | 'status' | 'dataset' | 'estimator' | 'step' | 'mse' | 'usage' | 'perplexity' | 'engine' | 'created'

export interface Column {
  id: ColumnId
  label: string
  numeric: boolean
  /** What a run is sorted by; null goes last, whichever the direction. */
  value: (run: RunFile) => string | number | null
}

export const columns: readonly Column[] = [
  { id: 'name', label: 'Name', numeric: false, value: (run) => run.name.toLowerCase() },
  { id: 'status', label: 'Status', numeric: false, value: (run) => statusWord(run.status) },
  { id: 'dataset', label: 'Dataset', numeric: false, value: (run) => run.dataset.name.toLowerCase() },
  { id: 'estimator', label: 'Estimator', numeric: false, value: (run) => run.config.estimator },
  { id: 'step', label: 'Step', numeric: true, value: (run) => run.step },
  { id: 'mse', label: 'Best mse', numeric: true, value: (run) => run.best?.mse ?? null },
  { id: 'usage', label: 'Usage', numeric: true, value: (run) => run.best?.usage ?? null },
  { id: 'perplexity', label: 'Perplexity', numeric: true, value: (run) => run.best?.perplexity ?? null },
  { id: 'engine', label: 'Engine', numeric: false, value: (run) => run.engine?.name.toLowerCase() ?? null },
  { id: 'created', label: 'Created', numeric: false, value: (run) => run.createdAt },
]

export interface Sorting {
  column: ColumnId
  descending: boolean
}

/** A sorted copy; equal values keep the newest first. */
export function sortRuns(runs: readonly RunFile[], { column, descending }: Sorting): RunFile[] {
  const value = columns.find(({ id }) => id === column)?.value ?? (() => null)
  const sign = descending ? -1 : 1
  return [...runs].sort((one, other) => {
    const a = value(one)
    const b = value(other)
    if (a === b || (a === null && b === null)) return other.createdAt.localeCompare(one.createdAt)
    if (a === null) return 1
    if (b === null) return -1
    const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b))
    return sign * order
  })
}

/** Runs in whose name, notes or dataset all words of `text` are found. */
export function findRuns(runs: readonly RunFile[], text: string): RunFile[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return runs.filter((run) => {
    const all = `${run.name} ${run.notes} ${run.dataset.name} ${run.config.estimator} ${run.id}`.toLowerCase()
    return words.every((word) => all.includes(word))
  })
}
