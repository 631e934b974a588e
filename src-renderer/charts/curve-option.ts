// From curves to an ECharts option: axes, lines, dots, tooltip. Pure apart from the tooltip's DOM nodes, which
// hold text only, so that no name in a run can become HTML.
import { measure } from '../format'
import type { Points } from './decimate'
import type { EChartsCoreOption } from './echarts'
import { formatTick, logScale, toLog } from './log-axis'
import type { ChartColours, ColourToken } from './theme'

export interface Curve {
  id: string
  label: string
  colour: ColourToken
  /** The line that is read; smoothed where smoothing is on. */
  line: Points
  /** Drawn faintly under the line: the values themselves. */
  raw?: Points
  /** Measured now and then, e.g. on validation images; drawn as dots. */
  dots?: Points
  dashed?: boolean
  /** Value in words for tooltip, legend and table; the number alone by default. */
  format?: (value: number) => string
}

export interface Axis {
  name: string
  log?: boolean
  /** Only whole numbers make sense. */
  whole?: boolean
  min?: number
  max?: number
  /** From tick to tick. */
  interval?: number
  formatTick?: (value: number) => string
  /** Values in words: tooltip heading (x). */
  format?: (value: number) => string
}

export interface CurveChartSpec {
  curves: Curve[]
  x: Axis
  y: Axis
  /** A second reading of the same scale at the right edge: right value = left value × factor. */
  rightFactor?: { name: string; factor: number; formatTick: (value: number) => string }
}

/** The numbers of a chart for readers. */
export interface ChartTable {
  columns: string[]
  rows: string[][]
  note?: string
}

type Hit = { seriesId?: string; value?: unknown }

export function curveOption(spec: CurveChartSpec, colours: ChartColours): EChartsCoreOption {
  const xAxis = axisOption(spec.x, extentOf(spec, 'x'), colours)
  const yExtent = extentOf(spec, 'y')
  // Two readings of one scale must agree on its ends, so these are fixed here.
  const fixed = spec.rightFactor && spec.y.log !== true ? linearEnds(spec.y, yExtent) : {}
  const yAxis = {
    ...axisOption({ ...spec.y, ...fixed }, yExtent, colours),
    ...fixed,
    nameLocation: 'end',
    nameGap: 8,
  }
  const yAxes: object[] = [
    { ...yAxis, nameTextStyle: { ...nameStyle(colours), align: 'left', padding: [0, 0, 0, -40] } },
  ]
  if (spec.rightFactor) yAxes.push(rightAxis(spec, yAxis, colours))
  return {
    animation: false,
    textStyle: { fontFamily: colours.font, fontSize: 11 },
    grid: { left: 52, right: spec.rightFactor ? 48 : 16, top: 24, bottom: 38 },
    xAxis: { ...xAxis, nameLocation: 'middle', nameGap: 24, nameTextStyle: nameStyle(colours) },
    yAxis: yAxes,
    tooltip: {
      trigger: 'axis',
      confine: true,
      transitionDuration: 0,
      className: 'gyre-chart-tooltip',
      borderWidth: 1,
      borderColor: colours.line,
      backgroundColor: colours.panel,
      textStyle: { color: colours.text, fontSize: 12 },
      axisPointer: { type: 'line', animation: false, lineStyle: { color: colours['text-faint'] } },
      formatter: (hits: unknown) => tooltip(spec, Array.isArray(hits) ? (hits as Hit[]) : [hits as Hit]),
    },
    series: [
      ...spec.curves.flatMap((curve) => seriesOf(curve, spec, colours)),
      // An axis without a series is not drawn.
      ...(spec.rightFactor ? [{ id: 'right', type: 'line', yAxisIndex: 1, data: [], silent: true }] : []),
    ],
  }
}

function seriesOf(curve: Curve, spec: CurveChartSpec, colours: ChartColours): object[] {
  const colour = colours[curve.colour]
  const shared = { name: curve.label, itemStyle: { color: colour }, emphasis: { disabled: true } }
  const line = {
    ...shared,
    type: 'line',
    showSymbol: curve.line.x.length === 1,
    symbolSize: 6,
    symbol: 'circle',
  }
  const result: object[] = []
  if (curve.raw) {
    result.push({
      ...line,
      id: `${curve.id} raw`,
      silent: true,
      tooltip: { show: false },
      lineStyle: { width: 1, opacity: colours.dark ? 0.45 : 0.3, color: colour },
      data: pairs(curve.raw, spec),
    })
  }
  result.push({
    ...line,
    id: curve.id,
    lineStyle: { width: 1.75, color: colour, type: curve.dashed ? [5, 4] : 'solid' },
    data: pairs(curve.line, spec),
  })
  if (curve.dots && curve.dots.x.length > 0) {
    result.push({
      ...shared,
      type: 'scatter',
      id: `${curve.id} dots`,
      symbol: 'circle',
      symbolSize: 7,
      itemStyle: { color: colours.panel, borderColor: colour, borderWidth: 1.75 },
      z: 3,
      data: pairs(curve.dots, spec),
    })
  }
  return result
}

/** Data of a series in axis units; what a log axis cannot show is a gap. */
function pairs(points: Points, spec: CurveChartSpec): [number, number][] {
  return points.x.map((x, i) => {
    const y = points.y[i] ?? Number.NaN
    return [spec.x.log ? toLog(x) : x, spec.y.log ? toLog(y) : y]
  })
}

function extentOf(spec: CurveChartSpec, side: 'x' | 'y'): [number, number] {
  let low = Infinity
  let high = -Infinity
  const needsPositive = spec[side].log === true
  for (const curve of spec.curves) {
    for (const points of [curve.line, curve.raw, curve.dots]) {
      for (const value of points?.[side] ?? []) {
        if (!Number.isFinite(value) || (needsPositive && value <= 0)) continue
        low = Math.min(low, value)
        high = Math.max(high, value)
      }
    }
  }
  return [low, high]
}

export function axisOption(axis: Axis, [low, high]: [number, number], colours: ChartColours): AxisOption {
  const label = axis.formatTick ?? formatTick
  const shared = {
    type: 'value',
    name: axis.name,
    axisLine: { show: true, lineStyle: { color: colours.line } },
    splitLine: { lineStyle: { color: colours.line, opacity: 0.6 } },
  }
  const labelStyle = { color: colours['text-soft'], fontSize: 11, hideOverlap: true }
  if (axis.log === true) {
    const { min, max, ticks } = logScale(low, high)
    return {
      ...shared,
      min,
      max,
      axisTick: { show: true, lineStyle: { color: colours.line }, customValues: ticks },
      axisLabel: {
        ...labelStyle,
        customValues: ticks,
        formatter: (tick: number) => label(round(10 ** tick)),
      },
    }
  }
  return {
    ...shared,
    scale: true,
    splitNumber: 4,
    minInterval: axis.whole === true ? 1 : undefined,
    min: axis.min ?? undefined,
    max: axis.max ?? undefined,
    interval: axis.interval,
    axisTick: { show: false },
    axisLabel: { ...labelStyle, formatter: (tick: number) => label(tick) },
  }
}

type AxisOption = Record<string, unknown> & { axisLabel: object }

/** Ends and interval of a linear axis from zero: at most eight round steps. */
function linearEnds(axis: Axis, [, high]: [number, number]): { min: number; max: number; interval: number } {
  const top = axis.max ?? (Number.isFinite(high) && high > 0 ? high : 1)
  const interval = roundStep(top / 7)
  return { min: 0, max: Math.ceil(top / interval - 1e-9) * interval, interval }
}

/** The next 1, 2 or 5 times a power of ten. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  return ([1, 2, 5, 10].find((step) => step * power >= rough) ?? 10) * power
}

function linearTicks(low: number, high: number): number[] {
  const step = roundStep((high - low) / 7)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step)
}

function rightAxis(spec: CurveChartSpec, left: AxisOption, colours: ChartColours): object {
  const { name, factor, formatTick: label } = spec.rightFactor ?? { name: '', factor: 1, formatTick }
  const { axisLabel } = left
  const ends = [left['min'], left['max']].map((end) => {
    const value = typeof end === 'number' ? end : 0
    return (spec.y.log === true ? 10 ** value : value) * factor
  })
  const own = linearTicks(ends[0] ?? 0, ends[1] ?? 1).map((tick) => tick / factor)
  const ticks = spec.y.log === true ? undefined : own
  return {
    ...left,
    name,
    position: 'right',
    splitLine: { show: false },
    nameTextStyle: { ...nameStyle(colours), align: 'right', padding: [0, -40, 0, 0] },
    axisLabel: {
      ...axisLabel,
      ...(ticks ? { customValues: ticks } : {}),
      formatter: (tick: number) => label(round((spec.y.log === true ? 10 ** tick : tick) * factor)),
    },
  }
}

export function nameStyle(colours: ChartColours): object {
  return { color: colours['text-soft'], fontSize: 11 }
}

function round(value: number): number {
  return Number(value.toPrecision(12))
}

/** Tooltip nodes: the position, then a line per curve. Text nodes only. */
function tooltip(spec: CurveChartSpec, hits: readonly Hit[]): HTMLElement {
  const box = document.createElement('div')
  const position = hits.map(({ value }) => (Array.isArray(value) ? (value[0] as unknown) : undefined))
  const first = position.find((x) => typeof x === 'number')
  if (typeof first === 'number') {
    const at = spec.x.log ? 10 ** first : first
    const words = spec.x.format ?? ((value: number) => `${spec.x.name} ${measure(value)}`)
    box.append(lineOf('strong', words(at)))
  }
  for (const curve of spec.curves) {
    for (const [suffix, extra] of [
      ['', ''],
      [' dots', ' (validation)'],
    ] as const) {
      const hit = hits.find(({ seriesId }) => seriesId === curve.id + suffix)
      const y: unknown = Array.isArray(hit?.value) ? hit.value[1] : undefined
      if (typeof y !== 'number' || Number.isNaN(y)) continue
      const value = spec.y.log ? 10 ** y : y
      box.append(lineOf('div', `${curve.label}${extra}  ${(curve.format ?? measure)(value)}`))
    }
  }
  return box
}

export function lineOf(tag: 'div' | 'strong', text: string): HTMLElement {
  const node = document.createElement(tag)
  node.textContent = text
  return node
}
