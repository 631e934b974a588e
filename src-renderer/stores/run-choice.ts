// Which run a place shows when none was asked for, and how runs with the same name are told apart. Pure; lists are
// newest first.
import type { RunFile, RunStatus } from '#shared/contract/files'
import { count, dateTime, plural } from '../format'
import { isTrouble } from './run-status'

/** Has the trainer now; a queued run (`created`) does not. */
export const holdsTrainer = (status: RunStatus): boolean =>
  status === 'running' || status === 'preparing' || status === 'paused'

/** The run that trains; else the newest that got somewhere or says why it did not; else the newest. */
export function runToWatch(runs: readonly RunFile[]): RunFile | undefined {
  return (
    runs.find(({ status }) => holdsTrainer(status)) ??
    runs.find(({ status, step }) => step > 0 || isTrouble(status)) ??
    runs[0]
  )
}

/** A state is saved with each best evaluation, at intervals, and on a pause, a stop and the end. */
const hasSaved = ({ best, step, status, config }: RunFile): boolean =>
  best !== null ||
  step >= config.checkpointEvery ||
  (step > 0 && (status === 'paused' || status === 'stopped' || status === 'finished'))

/** The newest run with a checkpoint; else the one to watch. */
export function runToInspect(runs: readonly RunFile[]): RunFile | undefined {
  return runs.find(hasSaved) ?? runToWatch(runs)
}

const detailed = ({ name, createdAt, config }: RunFile): string =>
  `${name} · ${dateTime(createdAt)} · seed ${count(config.seed)} · ${plural(config.steps, 'step')}`

/** The name of a run; with its time, seed and steps where another of `all` has the same name. */
export function runLabel(run: RunFile, all: readonly RunFile[]): string {
  const twins = all.filter(({ id, name }) => id !== run.id && name === run.name)
  if (twins.length === 0) return run.name
  const label = detailed(run)
  return twins.some((twin) => detailed(twin) === label) ? `${label} · ${run.id.slice(-4)}` : label
}
