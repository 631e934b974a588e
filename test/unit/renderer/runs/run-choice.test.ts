// Which run is shown where none was asked for, and how runs with one name are told apart.
import { describe, expect, it } from 'vitest'
import type { RunFile } from '#shared/contract/files'
import { runLabel, runToInspect, runToWatch } from '../../../../src-renderer/stores/run-choice'
import { fakeConfig, fakeRun } from '../../../support/fake-data'

const fresh = { step: 0, last: null, best: null } satisfies Partial<RunFile>
const queued = fakeRun({ id: 'queued', status: 'created', ...fresh })
const taken = fakeRun({ id: 'taken', status: 'stopped', ...fresh })
const training = fakeRun({ id: 'training', status: 'running', ...fresh, step: 40 })
const ended = fakeRun({ id: 'ended', status: 'finished' })
const failed = fakeRun({ id: 'failed', status: 'failed', ...fresh })

describe('the run to watch', () => {
  it.each(['running', 'paused', 'preparing'] as const)(
    'is the one that is %s, not a queued one',
    (status) => {
      expect(runToWatch([queued, ended, { ...training, status }])?.id).toBe('training')
    },
  )

  it('is else the newest with something to show', () => {
    expect(runToWatch([queued, taken, ended])?.id).toBe('ended')
    expect(runToWatch([queued, failed, ended])?.id).toBe('failed')
  })

  it('is a queued one only where there is no other', () => {
    expect(runToWatch([queued])?.id).toBe('queued')
    expect(runToWatch([])).toBeUndefined()
  })
})

describe('the run to inspect', () => {
  it('is the newest with a checkpoint', () => {
    expect(runToInspect([queued, training, failed, ended])?.id).toBe('ended')
    const saved = { ...training, step: training.config.checkpointEvery }
    expect(runToInspect([queued, saved, ended])?.id).toBe('training')
    expect(runToInspect([queued, { ...training, status: 'stopped' }, ended])?.id).toBe('training')
  })

  it('is the one to watch where nothing is saved', () => {
    expect(runToInspect([queued, training])?.id).toBe('training')
  })
})

describe('the label of a run', () => {
  const run = (id: string, seed: number, createdAt: string): RunFile =>
    fakeRun({ id, name: 'birds, rotation', createdAt, config: fakeConfig({ seed, steps: 2000 }) })
  const first = run('a-0001', 1, '2020-11-23T09:00:00.000Z')
  const second = run('b-0002', 2, '2020-11-23T09:00:00.000Z')

  it('is the name while no other run has it', () => {
    expect(runLabel(first, [first, ended])).toBe('birds, rotation')
  })

  it('adds time, seed and steps where names repeat', () => {
    expect(runLabel(second, [first, second])).toMatch(
      /^birds, rotation · 23 Nov 2020, \d\d:\d\d · seed 2 · 2,000 steps$/,
    )
    expect(runLabel(first, [first, second])).not.toBe(runLabel(second, [first, second]))
  })

  it('differs even where all of that is the same', () => {
    const twin = { ...first, id: 'c-0003' }
    expect(runLabel(twin, [first, twin])).toMatch(/ · 0003$/)
  })
})
