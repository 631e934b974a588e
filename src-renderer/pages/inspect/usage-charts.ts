// The two usage charts of a codebook: counts by rank, and how many codes were used how often. Pure.
import type { CodebookSummary } from '#shared/contract/inspector'
import type { BarChartSpec } from '../../charts/bar-option'
import type { ChartTable, CurveChartSpec } from '../../charts/curve-option'
import { decimate } from '../../charts/decimate'
import { count, equalCodes, measure, percent, plural } from '../../format'
import { codesForShare, usageByRank, usageHistogram, type HistogramBin } from './codes'

/** @param selected Code whose rank is marked; null for none. */
export function rankSpec(summary: CodebookSummary, selected: number | null): CurveChartSpec {
  const ranked = usageByRank(summary.counts)
  const ranks = ranked.map((_, i) => i + 1)
  const uses = selected === null ? 0 : (summary.counts[selected] ?? 0)
  const dots = uses > 0 ? { x: [ranked.indexOf(uses) + 1], y: [uses] } : undefined
  return {
    curves: [
      {
        id: 'rank',
        label: 'uses',
        colour: 'rotation',
        line: decimate(ranks, ranked, 400),
        format: (value) => plural(value, 'use'),
        ...(dots ? { dots } : {}),
      },
    ],
    x: {
      name: 'rank of the code',
      min: 1,
      max: Math.max(2, ranked.length),
      formatTick: count,
      format: (rank) => `Code of rank ${count(rank)}`,
    },
    y: { name: 'uses', log: true, formatTick: (value) => count(value) },
  }
}

export function rankTable(summary: CodebookSummary): ChartTable {
  const codes = Array.from(summary.counts, (uses, code) => ({ code, uses }))
    .filter(({ uses }) => uses > 0)
    .sort((a, b) => b.uses - a.uses)
  return {
    columns: ['rank', 'code', 'uses', 'share'],
    rows: codes
      .slice(0, 200)
      .map(({ code, uses }, rank) => [
        count(rank + 1),
        String(code),
        count(uses),
        percent(uses / Math.max(1, summary.vectors)),
      ]),
    ...(codes.length > 200 ? { note: 'The first 200 codes.' } : {}),
  }
}

const binName = ({ from, to }: HistogramBin): string =>
  from === to ? count(from) : `${count(from)}–${count(to)}`

export function histogramSpec(summary: CodebookSummary): BarChartSpec {
  return {
    // Unused codes would dwarf the rest; they are said in words and stand in the table.
    bars: usageHistogram(summary.counts)
      .slice(1)
      .map((bin) => ({
        label: binName(bin),
        value: bin.codes,
        colour: 'rotation',
        words: `${plural(bin.codes, 'code')} used ${binName(bin)} ${bin.to === 1 ? 'time' : 'times'}`,
      })),
    xName: 'used so many times',
    yName: 'codes',
  }
}

export function histogramTable(summary: CodebookSummary): ChartTable {
  return {
    columns: ['uses', 'codes'],
    rows: usageHistogram(summary.counts).map((bin) => [binName(bin), count(bin.codes)]),
  }
}

export function unusedInWords(summary: CodebookSummary): string {
  const unused = summary.codebookSize - summary.used
  return unused === 0
    ? 'Every code was used.'
    : `${plural(unused, 'code')} ${unused === 1 ? 'was' : 'were'} not used at all.`
}

/** Perplexity in words, and how few codes do half of the work. */
export function perplexityInWords(summary: CodebookSummary): string {
  return (
    `Perplexity ${measure(summary.perplexity)}: ${equalCodes(summary.perplexity)} and the rest of ` +
    `${count(summary.codebookSize)} never. ` +
    `Half of all patches use only ${plural(codesForShare(summary.counts, 0.5), 'code')}.`
  )
}
