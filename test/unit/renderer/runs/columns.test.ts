import { describe, expect, it } from 'vitest'
import { columns, findRuns, sortRuns } from '../../../../src-renderer/pages/runs/columns'
import { sparklinePoints } from '../../../../src-renderer/pages/runs/sparkline'
import { fakeRun } from '../../../support/fake-data'

const best = (mse: number) =>
  ({ ...(fakeRun().best ?? { step: 0 }), mse }) as NonNullable<ReturnType<typeof fakeRun>['best']>
const runs = [
  fakeRun({ id: 'a', name: 'Zebra', best: best(0.02), createdAt: '2025-01-01T00:00:00Z' }),
  fakeRun({ id: 'b', name: 'apple', best: null, createdAt: '2025-01-03T00:00:00Z', notes: 'with flips' }),
  fakeRun({ id: 'c', name: 'Mango', best: best(0.01), createdAt: '2025-01-02T00:00:00Z' }),
]
const ids = (list: readonly { id: string }[]): string => list.map(({ id }) => id).join('')

describe('sortRuns', () => {
  it('sorts words without regard to case and numbers as numbers', () => {
    expect(ids(sortRuns(runs, { column: 'name', descending: false }))).toBe('bca')
    expect(ids(sortRuns(runs, { column: 'created', descending: true }))).toBe('bca')
  })

  it('puts runs without a value last in both directions', () => {
    expect(ids(sortRuns(runs, { column: 'mse', descending: false }))).toBe('cab')
    expect(ids(sortRuns(runs, { column: 'mse', descending: true }))).toBe('acb')
  })

  it('keeps the newest first among equals, and leaves the list alone', () => {
    for (const { id } of columns.filter((column) => ['status', 'dataset', 'step'].includes(column.id)))
      expect(ids(sortRuns(runs, { column: id, descending: false }))).toBe('bca')
    expect(ids(runs)).toBe('abc')
  })
})

describe('findRuns', () => {
  it('needs every word, anywhere', () => {
    expect(ids(findRuns(runs, 'FLIPS apple'))).toBe('b')
    expect(ids(findRuns(runs, 'emoji'))).toBe('abc')
    expect(ids(findRuns(runs, 'emoji nothing'))).toBe('')
  })
})

describe('sparklinePoints', () => {
  it('spans the box on a logarithmic scale', () => {
    expect(sparklinePoints([1, 0.1, 0.01], 10, 12)).toBe('0.0,1.0 5.0,6.0 10.0,11.0')
  })
  it('draws a flat line flat and too little not at all', () => {
    expect(sparklinePoints([2, 2], 10, 12)).toBe('0.0,11.0 10.0,11.0')
    expect(sparklinePoints([1], 10, 12)).toBe('')
    expect(sparklinePoints([1, Number.NaN, 0, -1], 10, 12)).toBe('')
  })
})
