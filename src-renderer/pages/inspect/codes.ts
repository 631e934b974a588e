// What the codebook browser knows about its codes without asking anyone: state, order, filter, ranks and
// histogram. Pure; at 65,536 codes each function takes milliseconds.
import type { CodebookSummary } from '#shared/contract/inspector'

export type CodeSort = 'usage' | 'index' | 'norm' | 'distance'
export type CodeFilter = 'all' | 'used' | 'dead'

/**
 * - `used`: chosen in these images.
 * - `dead`: never chosen, neither here nor in the training window.
 * - `idle`: not chosen here, but in the training window.
 * - `woken`: chosen here, although not in the training window; shown as new.
 */
export type CodeState = 'used' | 'dead' | 'idle' | 'woken'

export function codeState(summary: CodebookSummary, code: number): CodeState {
  const dead = summary.deadFlags[code] === 1
  const used = (summary.counts[code] ?? 0) > 0
  if (used) return dead ? 'woken' : 'used'
  return dead ? 'dead' : 'idle'
}

/** Why a code is greyed or marked, in a sentence; an empty string where there is nothing to say. */
export function explainState(summary: CodebookSummary, code: number): string {
  switch (codeState(summary, code)) {
    case 'used':
      return ''
    case 'dead':
      return `Dead: no patch chose it during ${summary.deadWindow}, nor in these images.`
    case 'idle':
      return 'Idle: used in training, but no patch of these images chose it.'
    case 'woken':
      return `New: chosen in these images, though by no patch during ${summary.deadWindow}.`
  }
}

/** Indices of the codes to show, in order. Equal values keep the order of their index; NaN comes last. */
export function arrangeCodes(summary: CodebookSummary, sort: CodeSort, filter: CodeFilter): Int32Array {
  const shown: number[] = []
  for (let code = 0; code < summary.codebookSize; code++) {
    const used = (summary.counts[code] ?? 0) > 0
    if (filter === 'all' || (filter === 'used' ? used : summary.deadFlags[code] === 1)) shown.push(code)
  }
  const key = sortKey(summary, sort)
  if (key !== null) {
    shown.sort((a, b) => {
      const first = key(a)
      const second = key(b)
      if (Number.isNaN(first) || Number.isNaN(second)) {
        return Number(Number.isNaN(first)) - Number(Number.isNaN(second)) || a - b
      }
      return second - first || a - b
    })
  }
  return Int32Array.from(shown)
}

/** Larger first: most used, longest, farthest. null keeps the order of the index. */
function sortKey(summary: CodebookSummary, sort: CodeSort): ((code: number) => number) | null {
  switch (sort) {
    case 'usage':
      return (code) => summary.counts[code] ?? 0
    case 'norm':
      return (code) => summary.norms[code] ?? Number.NaN
    case 'distance':
      return (code) => summary.meanDistance[code] ?? Number.NaN
    case 'index':
      return null
  }
}

/** Counts of the used codes, largest first: the y values of the usage-by-rank chart. */
export function usageByRank(counts: ArrayLike<number>): number[] {
  return Array.from(counts)
    .filter((count) => count > 0)
    .sort((a, b) => b - a)
}

export interface HistogramBin {
  /** Uses from and to, both included. */
  from: number
  to: number
  codes: number
}

/** How many codes were used 0, 1, 2–3, 4–7, … times: bins double, since usage spans decades. */
export function usageHistogram(counts: ArrayLike<number>): HistogramBin[] {
  const bins: HistogramBin[] = [{ from: 0, to: 0, codes: 0 }]
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? 0
    const bin = count <= 0 ? 0 : Math.floor(Math.log2(count)) + 1
    while (bins.length <= bin) {
      const from = 2 ** (bins.length - 1)
      bins.push({ from, to: 2 * from - 1, codes: 0 })
    }
    const target = bins[bin]
    if (target !== undefined) target.codes++
  }
  return bins
}

/** How unevenly the codes are used: the smallest number of codes that covers `share` of all uses. */
export function codesForShare(counts: ArrayLike<number>, share: number): number {
  const ranked = usageByRank(counts)
  const total = ranked.reduce((sum, count) => sum + count, 0)
  let covered = 0
  for (const [rank, count] of ranked.entries()) {
    covered += count
    if (covered >= share * total) return rank + 1
  }
  return ranked.length
}
