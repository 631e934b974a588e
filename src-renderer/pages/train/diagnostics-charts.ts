// What the Diagnostics of the Train page show: which histograms and lines, in which words, with what explanation,
// as summary and as table. Pure.
import { addCounts, angleBins, lengthBins, quantile, ratioBins, totalOf, type Bins } from '#shared/histogram'
import { usesEstimatorNamed, type RunConfig } from '#shared/config/index'
import type { DiagnosticsRecord } from '#shared/contract/files'
import type { ChartTable, Curve, CurveChartSpec } from '../../charts/curve-option'
import type { HeatColumn, HeatmapSpec } from '../../charts/heatmap-option'
import type { RunSeries } from '../../charts/run-series'
import type { ColourToken } from '../../charts/theme'
import { count, measure, percent } from '../../format'
import { xAxis, type XAxis } from './train-charts'

type HistogramName = 'lambda' | 'angle' | 'encoderLength' | 'codeLength'
type FigureName = 'obtuse' | 'gradientCosine'

interface HistogramPlan {
  id: HistogramName
  /** In the middle of a sentence. */
  label: string
  symbol: string
  bins: Bins
  format: (value: number) => string
  /** The value that separates good from trouble. */
  mark?: number
}

export interface DiagnosticsView {
  x: XAxis
  /** Right end of every chart, so that they line up. */
  end: number
  colour: ColourToken
  median: boolean
}

export const histogramPlans: Readonly<Record<HistogramName, HistogramPlan>> = {
  lambda: {
    id: 'lambda',
    label: 'λ',
    symbol: 'λ',
    bins: ratioBins,
    format: measure,
    mark: 1,
  },
  angle: {
    id: 'angle',
    label: 'the angle',
    symbol: 'degrees',
    bins: angleBins,
    format: (value) => `${measure(value)}°`,
    mark: 90,
  },
  encoderLength: {
    id: 'encoderLength',
    label: '‖e‖',
    symbol: '‖e‖',
    bins: lengthBins,
    format: measure,
  },
  codeLength: { id: 'codeLength', label: '‖q‖', symbol: '‖q‖', bins: lengthBins, format: measure },
}

export const figurePlans: Readonly<
  Record<FigureName, { id: FigureName; label: string; format: (value: number) => string }>
> = {
  obtuse: { id: 'obtuse', label: 'obtuse angles', format: percent },
  gradientCosine: { id: 'gradientCosine', label: 'cosine between ∇e and g', format: measure },
}

/** What is good and what is trouble, in one or two sentences; some of it depends on what the run uses. */
export function explanations(
  config: Pick<RunConfig, 'quantizer' | 'estimator' | 'distance'>,
): Record<string, string> {
  const cosine = config.distance === 'cosine'
  const between = 'How alike the gradient handed to the encoder (∇e) and the one at the codes (g) point:'
  return {
    lambda: cosine
      ? 'λ = ‖q‖/‖e‖: with the cosine distance both have length 1, so this stays at 1.'
      : usesEstimatorNamed(config, 'rotation', 'reflection')
        ? 'λ = ‖q‖/‖e‖ scales the encoder’s gradient: near 1 is good; far below 1 early on, the commitment loss takes over and codes may collapse.'
        : 'λ = ‖q‖/‖e‖, code over encoder output: near 1 is good; far from 1, the codes have not caught up with the encoder.',
    angle:
      'How far each encoder output e points away from its code q: small is good; beyond 90° a rotation turns the gradient too far.',
    length: cosine
      ? 'With the cosine distance, encoder outputs e and codes q are brought to length 1 before they meet.'
      : 'Lengths of encoder outputs e and of their codes q: good in one range; near zero angles mean nothing, growth without end is trouble.',
    obtuse:
      'Vectors more than 90° from their code: near 0 % is good, some at the start are normal, many later mean over-rotated gradients.',
    gradientCosine: usesEstimatorNamed(config, 'ste')
      ? `${between} straight-through copies it, so this is 1.`
      : `${between} 1 is the same way, below 0 mostly against it.`,
    revived:
      'Rarely used codes that were moved onto encoder outputs, per window: many early are normal, a stream without end means too many codes.',
  }
}

/** Columns of a heatmap: more could not be told apart. */
const maxColumns = 160
const tableRows = 200

const place = (record: DiagnosticsRecord, x: XAxis): number => (x === 'time' ? record.trainedMs : record[x])

/** One column per record, or per few neighbours added up; each reaches half way to the next. */
export function heatColumns(
  records: readonly DiagnosticsRecord[],
  id: HistogramName,
  x: XAxis,
): HeatColumn[] {
  const size = Math.max(1, Math.ceil(records.length / maxColumns))
  const groups: { at: number; counts: number[] }[] = []
  // Whole groups counted from the newest, so that the picture does not flicker while it grows.
  for (let end = records.length; end > 0; end -= size) {
    const last = records[end - 1]
    if (!last) break
    const group = records.slice(Math.max(0, end - size), end)
    groups.unshift({
      at: place(last, x),
      counts: group.map((record) => record[id]).reduce((a, b) => addCounts(a, b)),
    })
  }
  return groups.map(({ at, counts }, i) => {
    const [before, after] = [groups[i - 1]?.at ?? 0, groups[i + 1]?.at ?? at]
    return { from: i === 0 ? 0 : (before + at) / 2, at, to: (at + after) / 2, counts }
  })
}

export function heatmapSpec(
  records: readonly DiagnosticsRecord[],
  id: HistogramName,
  view: DiagnosticsView,
): HeatmapSpec {
  const { bins, format, mark, symbol } = histogramPlans[id]
  return {
    columns: heatColumns(records, id, view.x),
    bins,
    colour: view.colour,
    x: { ...xAxis(view.x), max: view.end },
    name: symbol,
    format,
    ...(mark === undefined ? {} : { mark }),
    median: view.median,
  }
}

/** A figure over time; records without it leave a gap. */
export function figureSpec(
  records: readonly DiagnosticsRecord[],
  id: FigureName,
  view: DiagnosticsView,
): CurveChartSpec {
  const { label, format } = figurePlans[id]
  const known = records.filter((record) => record[id] !== null)
  const line = {
    x: known.map((record) => place(record, view.x)),
    y: known.map((record) => record[id] ?? Number.NaN),
  }
  const curve: Curve = { id, label, colour: view.colour, line, format }
  const x = { ...xAxis(view.x), min: 0, max: view.end }
  const lowest = Math.min(0, ...line.y)
  return id === 'obtuse'
    ? {
        curves: [curve],
        x,
        y: { name: 'of the vectors', min: 0, ...obtuseEnd(line.y), formatTick: tickPercent },
      }
    : {
        curves: [curve],
        x,
        y: { name: 'cosine', min: lowest < 0 ? -1 : 0, max: 1, interval: lowest < 0 ? 0.5 : 0.25 },
      }
}

/** The end of the axis: a share of nothing must not look like all. */
function obtuseEnd(values: readonly number[]): { max: number; interval: number } {
  const highest = Math.max(...values, 0)
  if (highest <= 0.1) return { max: 0.1, interval: 0.025 }
  return highest <= 0.5 ? { max: 0.5, interval: 0.1 } : { max: 1, interval: 0.25 }
}

const tickPercent = (value: number): string => `${Number((value * 100).toPrecision(4))} %`

/** Windows and how many codes were revived in each. */
export function revivedSpec(series: RunSeries, view: DiagnosticsView): CurveChartSpec {
  const values = series.column('revived')
  const places = series.column(view.x === 'time' ? 'trainedMs' : view.x)
  const rows = [...values.keys()].filter((row) => !Number.isNaN(values[row] ?? Number.NaN))
  const line = { x: rows.map((row) => places[row] ?? 0), y: rows.map((row) => values[row] ?? 0) }
  return {
    curves: [{ id: 'revived', label: 'codes revived', colour: view.colour, line, format: count }],
    x: { ...xAxis(view.x), min: 0, max: view.end },
    y: { name: 'codes per window', min: 0, whole: true, formatTick: count },
  }
}

/** The middle of a histogram in words: `0.98 (8 of 10 between 0.7 and 1.2)`. */
function middle(record: DiagnosticsRecord, id: HistogramName): string {
  const { bins, format } = histogramPlans[id]
  const words = (share: number): string => format(quantile(record[id], bins, share))
  return `${words(0.5)} (8 of 10 vectors between ${words(0.1)} and ${words(0.9)})`
}

export function medianInWords(records: readonly DiagnosticsRecord[], id: HistogramName): string | undefined {
  const last = records.findLast((record) => totalOf(record[id]) > 0)
  const { bins, format } = histogramPlans[id]
  return last && format(quantile(last[id], bins, 0.5))
}

/** What a heatmap shows, in a sentence. */
export function summariseHistogram(records: readonly DiagnosticsRecord[], id: HistogramName): string {
  const held = records.filter((record) => totalOf(record[id]) > 0)
  const [first, last] = [held[0], held.at(-1)]
  if (!first || !last) return 'No values yet.'
  const { label } = histogramPlans[id]
  const start = first === last ? '' : ` It was ${middle(first, id)} at step ${count(first.step)}.`
  return `Median of ${label} at step ${count(last.step)}: ${middle(last, id)}.${start}`
}

export function summariseFigure(records: readonly DiagnosticsRecord[], id: FigureName): string {
  const known = records.flatMap((record) =>
    record[id] === null ? [] : [{ step: record.step, value: record[id] }],
  )
  const [first, last] = [known[0], known.at(-1)]
  if (!first || !last) return 'No values yet.'
  const { label, format } = figurePlans[id]
  return `${label} went from ${format(first.value)} at step ${count(first.step)} to ${format(last.value)} at step ${count(last.step)}.`
}

function tableRecords(records: readonly DiagnosticsRecord[]): { shown: DiagnosticsRecord[]; note?: string } {
  const every = Math.max(1, Math.ceil(records.length / tableRows))
  const shown = records.filter((_, i) => (records.length - 1 - i) % every === 0).reverse()
  return every > 1 ? { shown, note: `Every ${count(every)}th of ${count(records.length)} looks.` } : { shown }
}

export function histogramTable(records: readonly DiagnosticsRecord[], id: HistogramName): ChartTable {
  const { bins, format } = histogramPlans[id]
  const { shown, ...note } = tableRecords(records)
  const shares = [0.1, 0.5, 0.9]
  return {
    columns: ['step', '10 % below', 'median', '90 % below', 'vectors'],
    rows: shown.map((record) => [
      count(record.step),
      ...shares.map((share) => format(quantile(record[id], bins, share))),
      count(totalOf(record[id])),
    ]),
    ...note,
  }
}

export function figureTable(records: readonly DiagnosticsRecord[], id: FigureName): ChartTable {
  const { label, format } = figurePlans[id]
  const { shown, ...note } = tableRecords(records)
  return {
    columns: ['step', label],
    rows: shown.map((record) => [count(record.step), format(record[id] ?? Number.NaN)]),
    ...note,
  }
}

export function revivedTable(spec: CurveChartSpec, x: XAxis): ChartTable {
  const line = spec.curves[0]?.line ?? { x: [], y: [] }
  const words = x === 'step' ? count : measure
  const rows = line.x.map((at, i) => [words(x === 'time' ? at / 1000 : at), count(line.y[i] ?? 0)]).reverse()
  return {
    columns: [x === 'time' ? 'seconds trained' : x, 'codes revived'],
    rows: rows.slice(0, tableRows),
    ...(rows.length > tableRows ? { note: `The newest ${count(tableRows)} windows.` } : {}),
  }
}

export function summariseRevived(spec: CurveChartSpec): string {
  const values = spec.curves[0]?.line.y ?? []
  if (values.length === 0) return 'No values yet.'
  const total = values.reduce((a, b) => a + b, 0)
  return `${count(total)} codes revived in ${count(values.length)} windows, ${count(values.at(-1) ?? 0)} in the newest.`
}
