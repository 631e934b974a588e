// The codebook browser's order, filters and states, against a plain reading of the same arrays.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CodebookSummary } from '#shared/contract/inspector'
import {
  arrangeCodes,
  codesForShare,
  codeState,
  explainState,
  usageByRank,
  usageHistogram,
} from '../../../../src-renderer/pages/inspect/codes'
import {
  layoutGrid,
  moveInGrid,
  scrollToRow,
  visibleRows,
} from '../../../../src-renderer/pages/inspect/grid-geometry'

function summary(counts: number[], dead: number[]): CodebookSummary {
  return {
    runId: 'run',
    step: 100,
    images: 10,
    vectors: counts.reduce((a, b) => a + b, 0),
    tokens: [4, 4],
    codebookSize: counts.length,
    used: counts.filter((count) => count > 0).length,
    usage: 0,
    perplexity: 0,
    dead: dead.filter((flag) => flag === 1).length,
    deadWindow: 'steps 1 to 100',
    counts: Int32Array.from(counts),
    deadFlags: Int32Array.from(dead),
    norms: Float32Array.from(counts, (_, i) => i),
    meanDistance: Float32Array.from(counts, (count) => (count > 0 ? count / 10 : Number.NaN)),
  }
}

describe('arrangeCodes', () => {
  const codes = summary([5, 0, 9, 5, 0], [0, 1, 0, 1, 0])

  it('sorts by usage with ties by number, and by number, length and distance', () => {
    expect([...arrangeCodes(codes, 'usage', 'all')]).toEqual([2, 0, 3, 1, 4])
    expect([...arrangeCodes(codes, 'index', 'all')]).toEqual([0, 1, 2, 3, 4])
    expect([...arrangeCodes(codes, 'norm', 'all')]).toEqual([4, 3, 2, 1, 0])
    expect([...arrangeCodes(codes, 'distance', 'all')]).toEqual([2, 0, 3, 1, 4])
  })

  it('filters used and dead', () => {
    expect([...arrangeCodes(codes, 'index', 'used')]).toEqual([0, 2, 3])
    expect([...arrangeCodes(codes, 'index', 'dead')]).toEqual([1, 3])
  })

  it('tells the four states apart and explains them', () => {
    expect([0, 1, 3, 4].map((code) => codeState(codes, code))).toEqual(['used', 'dead', 'woken', 'idle'])
    expect(explainState(codes, 0)).toBe('')
    expect(explainState(codes, 1)).toContain('steps 1 to 100')
    expect(explainState(codes, 4)).toContain('used in training')
  })

  it('always returns each shown code once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(5), { minLength: 1, maxLength: 80 }),
        fc.constantFrom('usage', 'index', 'norm', 'distance'),
        (counts, sort) => {
          const order = arrangeCodes(
            summary(
              counts,
              counts.map(() => 0),
            ),
            sort,
            'all',
          )
          expect([...order].sort((a, b) => a - b)).toEqual(counts.map((_, i) => i))
        },
      ),
    )
  })
})

describe('usage', () => {
  it('ranks the used codes and bins all of them by doubling', () => {
    expect(usageByRank([0, 3, 7, 1])).toEqual([7, 3, 1])
    expect(usageHistogram([0, 0, 1, 2, 3, 4, 9])).toEqual([
      { from: 0, to: 0, codes: 2 },
      { from: 1, to: 1, codes: 1 },
      { from: 2, to: 3, codes: 2 },
      { from: 4, to: 7, codes: 1 },
      { from: 8, to: 15, codes: 1 },
    ])
  })

  it('loses no code in the histogram', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1e6)), (counts) => {
        const bins = usageHistogram(counts)
        expect(bins.reduce((sum, bin) => sum + bin.codes, 0)).toBe(counts.length)
      }),
    )
  })

  it('says how many codes cover a share', () => {
    expect(codesForShare([50, 30, 20, 0], 0.5)).toBe(1)
    expect(codesForShare([50, 30, 20, 0], 0.8)).toBe(2)
    expect(codesForShare([0, 0], 0.5)).toBe(0)
  })
})

describe('grid geometry', () => {
  it('fits columns and rows', () => {
    expect(layoutGrid(1024, 790, 80, 100)).toEqual({ columns: 9, rows: 114, height: 11_400 })
    expect(layoutGrid(3, 10, 80, 100)).toEqual({ columns: 1, rows: 3, height: 300 })
  })

  it('draws what is in view and a little more, never outside', () => {
    expect(visibleRows(0, 500, 100, 114)).toEqual({ from: 0, to: 7 })
    expect(visibleRows(1000, 500, 100, 114)).toEqual({ from: 8, to: 17 })
    expect(visibleRows(99_999, 500, 100, 114)).toEqual({ from: 114, to: 114 })
  })

  it('moves by keys and stops at the ends', () => {
    expect(moveInGrid('ArrowRight', 4, 10, 3, 2)).toBe(5)
    expect(moveInGrid('ArrowDown', 4, 10, 3, 2)).toBe(7)
    expect(moveInGrid('ArrowDown', 8, 10, 3, 2)).toBe(8)
    expect(moveInGrid('ArrowUp', 1, 10, 3, 2)).toBe(1)
    expect(moveInGrid('PageDown', 1, 10, 3, 2)).toBe(7)
    expect(moveInGrid('End', 1, 10, 3, 2)).toBe(9)
    expect(moveInGrid('a', 1, 10, 3, 2)).toBeNull()
  })

  it('scrolls just far enough', () => {
    expect(scrollToRow(2, 0, 500, 100)).toBe(0)
    expect(scrollToRow(6, 0, 500, 100)).toBe(200)
    expect(scrollToRow(1, 500, 500, 100)).toBe(100)
  })
})
