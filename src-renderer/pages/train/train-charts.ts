// What the three charts of the Train page show, from the curves of a run: curves, axes, summary, table. Pure.
import { usesEstimator, type RunConfig } from '#shared/config/index'
import type { EvaluationRecord } from '#shared/contract/files'
import { clock, count, duration, measure, percent } from '../../format'
import type { Axis, ChartTable, Curve, CurveChartSpec } from '../../charts/curve-option'
import { decimate, type Points } from '../../charts/decimate'
import { formatTick } from '../../charts/log-axis'
import type { RunSeries, TrainColumn } from '../../charts/run-series'
import { smooth } from '../../charts/smoothing'
import type { ColourToken } from '../../charts/theme'

export type XAxis = 'step' | 'epoch' | 'time'

export interface ChartView {
  x: XAxis
  smoothing: number
  log: boolean
  /** Curves that the person has switched off. */
  hidden: ReadonlySet<string>
  /** Colour of the run's estimator. */
  main: ColourToken
}

interface CurvePlan {
  id: TrainColumn
  label: string
  colour: ColourToken
  /** From an evaluation on validation images. */
  evaluated?: (record: EvaluationRecord) => number
  /** Data to what is drawn: perplexity as a fraction of K. */
  scale?: number
  format?: (value: number) => string
  /** One value a window: nothing to smooth. */
  sparse?: boolean
}

/** The accent for rotations, the contrast for straight-through, a neutral one for everything else. */
export function mainColour(config: Pick<RunConfig, 'quantizer' | 'estimator'>): ColourToken {
  if (!usesEstimator(config)) return 'series-5'
  if (config.estimator.startsWith('rotation')) return 'rotation'
  return config.estimator === 'ste' ? 'ste' : 'series-5'
}

/** Buckets of a drawn line; each gives up to two points. */
const buckets = 400
const tableRows = 200

export function lossPlan(view: ChartView): CurvePlan[] {
  return [
    { id: 'mse', label: 'mse', colour: view.main, evaluated: ({ validation }) => validation.mse },
    {
      id: 'commitmentLoss',
      label: 'commitment loss',
      colour: 'series-3',
      evaluated: ({ validation }) => validation.commitmentLoss,
    },
    { id: 'codebookLoss', label: 'codebook loss', colour: 'series-4' },
  ]
}

export function quantizationPlan(view: ChartView): CurvePlan[] {
  return [
    {
      id: 'quantizationError',
      label: 'quantization error',
      colour: view.main,
      evaluated: ({ validation }) => validation.quantizationError,
    },
  ]
}

/** Usage and perplexity share one scale: both are codes out of K. */
export function codebookPlan(view: ChartView, codebookSize: number): CurvePlan[] {
  return [
    {
      id: 'usage',
      label: 'usage',
      colour: view.main,
      sparse: true,
      evaluated: ({ validation }) => validation.usage,
      format: (value) => `${percent(value)}, ${count(value * codebookSize)} codes`,
    },
    {
      id: 'perplexity',
      label: 'perplexity',
      colour: 'series-4',
      sparse: true,
      scale: 1 / codebookSize,
      evaluated: ({ validation }) => validation.perplexity,
      format: (value) => measure(value * codebookSize),
    },
  ]
}

/** Plans whose column has at least one value in this run. */
export function present(plans: readonly CurvePlan[], series: RunSeries): CurvePlan[] {
  return plans.filter(
    ({ id, evaluated }) =>
      series.newest(id) !== null || (evaluated !== undefined && series.evaluations.length > 0),
  )
}

export function chartSpec(
  series: RunSeries,
  plans: readonly CurvePlan[],
  view: ChartView,
  yAxis: Axis,
  rightFactor?: CurveChartSpec['rightFactor'],
): CurveChartSpec {
  const curves = present(plans, series)
    .filter(({ id }) => !view.hidden.has(id))
    .map((plan) => curveOf(series, plan, view))
  return {
    curves,
    x: { ...xAxis(view.x), min: 0, max: endOf(series, view.x) },
    y: { ...yAxis, log: view.log },
    ...(rightFactor ? { rightFactor } : {}),
  }
}

/** The same right end for all charts of a run, so that they line up. */
export function endOf(series: RunSeries, x: XAxis): number {
  const column = x === 'time' ? 'trainedMs' : x
  const evaluated = series.evaluations.at(-1)?.[column] ?? 0
  return Math.max(series.column(column).at(-1) ?? 0, evaluated) || 1
}

export function xAxis(x: XAxis): Axis {
  switch (x) {
    case 'step':
      return { name: 'step', whole: true, formatTick: count, format: (value) => `Step ${count(value)}` }
    case 'epoch':
      return { name: 'epoch', formatTick, format: (value) => `Epoch ${measure(value)}` }
    case 'time':
      return { name: 'time trained', formatTick: clock, format: (value) => `After ${duration(value)}` }
  }
}

function curveOf(series: RunSeries, plan: CurvePlan, view: ChartView): Curve {
  const x = series.column(view.x === 'time' ? 'trainedMs' : view.x)
  const values = scaled(series.column(plan.id), plan.scale)
  const smoothing = plan.sparse === true ? 0 : view.smoothing
  const raw = decimate(x, values, buckets)
  return {
    id: plan.id,
    label: plan.label,
    colour: plan.colour,
    line: smoothing > 0 ? decimate(x, smooth(values, smoothing), buckets) : raw,
    ...(smoothing > 0 ? { raw } : {}),
    ...(plan.evaluated ? { dots: dotsOf(series.evaluations, plan.evaluated, plan.scale, view.x) } : {}),
    ...(plan.format ? { format: plan.format } : {}),
  }
}

function dotsOf(
  evaluations: readonly EvaluationRecord[],
  value: (record: EvaluationRecord) => number,
  scale = 1,
  x: XAxis,
): Points {
  // Thousands of dots would hide the line under them: every nth, and always the newest.
  const every = Math.ceil(evaluations.length / 60)
  const shown = evaluations.filter((_, index) => (evaluations.length - 1 - index) % every === 0)
  return {
    x: shown.map((record) => (x === 'time' ? record.trainedMs : record[x])),
    y: shown.map((record) => value(record) * scale),
  }
}

function scaled(values: Float64Array, scale = 1): Float64Array {
  return scale === 1 ? values : values.map((value) => value * scale)
}

/** Newest value of a plan in words, for the legend. */
export function newestInWords(series: RunSeries, plan: CurvePlan): string | undefined {
  const value = series.newest(plan.id)
  if (value === null) return undefined
  return (plan.format ?? measure)(value * (plan.scale ?? 1))
}

/** What a chart shows, in sentences: start, end, and the latest measurement on validation images. */
export function summarise(series: RunSeries, plans: readonly CurvePlan[]): string {
  if (series.length === 0) return 'No values yet.'
  return present(plans, series)
    .map((plan) => {
      const words = (value: number): string => (plan.format ?? measure)(value * (plan.scale ?? 1))
      const column = series.column(plan.id)
      const first = column.find((value) => !Number.isNaN(value))
      const newest = series.newest(plan.id)
      const evaluation = series.evaluations.at(-1)
      const parts: string[] = []
      if (first !== undefined && newest !== null)
        parts.push(`${plan.label} went from ${words(first)} to ${words(newest)}`)
      if (evaluation && plan.evaluated)
        parts.push(
          `${parts.length > 0 ? '' : `${plan.label} `}${words(plan.evaluated(evaluation))} on validation images at step ${count(evaluation.step)}`,
        )
      return `${parts.join(', ')}.`
    })
    .join(' ')
}

/** The values themselves: at most 200 rows, evenly spaced, newest first. */
export function tableOf(series: RunSeries, plans: readonly CurvePlan[]): ChartTable {
  const shown = present(plans, series)
  const every = Math.max(1, Math.ceil(series.length / tableRows))
  const rows: string[][] = []
  const sparseOnly = shown.every(({ sparse }) => sparse === true)
  for (let row = series.length - 1; row >= 0 && rows.length < tableRows; row--) {
    const values = shown.map(({ id }) => series.column(id)[row] ?? Number.NaN)
    if (sparseOnly ? values.every(Number.isNaN) : (series.length - 1 - row) % every !== 0) continue
    rows.push([
      count(series.column('step')[row] ?? 0),
      ...shown.map(({ format, scale }, index) =>
        (format ?? measure)((values[index] ?? Number.NaN) * (scale ?? 1)),
      ),
    ])
  }
  return {
    columns: ['step', ...shown.map(({ label }) => label)],
    rows,
    ...(every > 1 && !sparseOnly
      ? { note: `Every ${count(every)}th record; export the curves as CSV for all.` }
      : {}),
  }
}
