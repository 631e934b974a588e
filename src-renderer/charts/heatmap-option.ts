// Histograms over time as an ECharts option: a column per moment, darker where more lies, the median as a line over
// it. Pure apart from the tooltip's text nodes.
import { quantile, totalOf, type Bins } from '#shared/histogram'
import { axisOption, lineOf, nameStyle, type Axis } from './curve-option'
import type { EChartsCoreOption } from './echarts'
import { formatTick, logScale } from './log-axis'
import type { ChartColours, ColourToken } from './theme'

/** One histogram, taken at `at`, drawn as a column around it. */
export interface HeatColumn {
  from: number
  at: number
  to: number
  counts: readonly number[]
}

export interface HeatmapSpec {
  columns: readonly HeatColumn[]
  bins: Bins
  colour: ColourToken
  x: Axis
  name: string
  /** A value in words. */
  format: (value: number) => string
  /** A value worth a line of its own; always in sight. */
  mark?: number
  median: boolean
}

/** From the lowest to the highest bin that holds anything, with one bin of air, and the mark. */
function shownBins({ columns, bins, mark }: HeatmapSpec): [number, number] {
  const count = bins.edges.length - 1
  const held = Array.from({ length: count }, (_, bin) => columns.some(({ counts }) => (counts[bin] ?? 0) > 0))
  const marked = mark === undefined ? -1 : bins.edges.findLastIndex((edge) => edge <= mark)
  const wanted = held.flatMap((holds, bin) => (holds || bin === marked || bin === marked - 1 ? [bin] : []))
  const [first, last] = [wanted[0] ?? 0, wanted.at(-1) ?? count - 1]
  return [Math.max(0, first - 1), Math.min(count - 1, last + 1)]
}

function yAxis(spec: HeatmapSpec, low: number, high: number, colours: ChartColours): object {
  const { bins, name } = spec
  const shared = {
    nameLocation: 'end',
    nameGap: 8,
    nameTextStyle: { ...nameStyle(colours), align: 'left', padding: [0, 0, 0, -40] },
  }
  const axis = axisOption({ name, min: low, max: high }, [low, high], colours)
  // Lines across would be mistaken for counts.
  if (!bins.log)
    return { ...axis, ...shared, interval: high - low > 90 ? 45 : 15, splitLine: { show: false } }
  const ticks = logScale(low, high).ticks.filter(
    (tick) => tick >= Math.log10(low) - 1e-9 && tick <= Math.log10(high) + 1e-9,
  )
  return {
    ...axis,
    ...shared,
    min: Math.log10(low),
    max: Math.log10(high),
    splitLine: { show: false },
    axisTick: { show: true, lineStyle: { color: colours.line }, customValues: ticks },
    axisLabel: {
      ...axis.axisLabel,
      customValues: ticks,
      formatter: (tick: number) => formatTick(Number((10 ** tick).toPrecision(6))),
    },
  }
}

type RenderItemApi = {
  value: (dimension: number) => number
  coord: (point: [number, number]) => [number, number]
}

/** From one edge of a bin to the next, on whole pixels so that neighbours leave no seam. */
function cell(colour: string): (parameters: unknown, api: RenderItemApi) => object {
  return (_, api) => {
    const [left, top] = api.coord([api.value(0), api.value(3)]).map(Math.round) as [number, number]
    const [right, bottom] = api.coord([api.value(1), api.value(2)]).map(Math.round) as [number, number]
    return {
      type: 'rect',
      shape: { x: left, y: top, width: Math.max(1, right - left), height: Math.max(1, bottom - top) },
      style: { fill: colour, opacity: api.value(4) },
    }
  }
}

export function heatmapOption(spec: HeatmapSpec, colours: ChartColours): EChartsCoreOption {
  const { bins, columns, mark } = spec
  const [first, last] = shownBins(spec)
  const at = (value: number): number => (bins.log ? Math.log10(value) : value)
  const [low, high] = [bins.edges[first] ?? 0, bins.edges[last + 1] ?? 1]
  const shares = columns.map(({ counts }) => {
    const total = totalOf(counts) || 1
    return counts.map((count) => count / total)
  })
  const largest = Math.max(...shares.flat(), 1e-9)
  const cells = columns.flatMap(({ from, to }, column) =>
    (shares[column] ?? []).flatMap((share, bin) =>
      share > 0
        ? // The root, so that what is rare can be seen.
          [[from, to, at(bins.edges[bin] ?? 0), at(bins.edges[bin + 1] ?? 0), Math.sqrt(share / largest)]]
        : [],
    ),
  )
  const xEnd = spec.x.max ?? columns.at(-1)?.to ?? 1
  return {
    animation: false,
    textStyle: { fontFamily: colours.font, fontSize: 11 },
    grid: { left: 52, right: 16, top: 24, bottom: 38 },
    xAxis: {
      ...axisOption({ ...spec.x, min: 0, max: xEnd }, [0, xEnd], colours),
      splitLine: { show: false },
      nameLocation: 'middle',
      nameGap: 24,
      nameTextStyle: nameStyle(colours),
    },
    yAxis: yAxis(spec, low, high, colours),
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
      formatter: (hits: unknown) => tooltip(spec, hits),
    },
    series: [
      {
        id: 'cells',
        type: 'custom',
        silent: true,
        clip: true,
        encode: { x: [0, 1], y: [2, 3] },
        tooltip: { show: false },
        renderItem: cell(colours[spec.colour]),
        data: cells,
      },
      ...(mark === undefined ? [] : [markLine(at(mark), xEnd, colours)]),
      {
        id: 'median',
        type: 'line',
        symbol: 'circle',
        showSymbol: columns.length === 1,
        symbolSize: 6,
        emphasis: { disabled: true },
        itemStyle: { color: colours.text },
        // The tooltip hangs on this line, so it is there even when it is not shown.
        lineStyle: { width: 1.5, color: colours.text, opacity: spec.median ? 1 : 0 },
        z: 4,
        data: columns.map((column) => [column.at, at(quantile(column.counts, bins, 0.5))]),
      },
    ],
  }
}

function markLine(y: number, xEnd: number, colours: ChartColours): object {
  return {
    id: 'mark',
    type: 'line',
    silent: true,
    symbol: 'none',
    tooltip: { show: false },
    z: 3,
    lineStyle: { width: 1, type: [4, 4], color: colours.text, opacity: 0.7 },
    data: [
      [0, y],
      [xEnd, y],
    ],
  }
}

/** Tooltip nodes: the moment, the median, where the middle lies. Text nodes only. */
function tooltip({ columns, bins, x, format }: HeatmapSpec, hits: unknown): HTMLElement {
  const box = document.createElement('div')
  const list = Array.isArray(hits) ? (hits as { seriesId?: string; dataIndex?: number }[]) : []
  const column = columns[list.find(({ seriesId }) => seriesId === 'median')?.dataIndex ?? -1]
  if (!column) return box
  const words = (share: number): string => format(quantile(column.counts, bins, share))
  box.append(lineOf('strong', x.format ? x.format(column.at) : `${x.name} ${formatTick(column.at)}`))
  if (totalOf(column.counts) > 0) {
    box.append(lineOf('div', `median  ${words(0.5)}`))
    box.append(lineOf('div', `8 of 10 vectors  ${words(0.1)} to ${words(0.9)}`))
  }
  return box
}
