// Bars over named bins as an ECharts option. Pure apart from the tooltip's text nodes.
import type { EChartsCoreOption } from './echarts'
import type { ChartColours, ColourToken } from './theme'

export interface Bar {
  label: string
  value: number
  colour: ColourToken
  /** For the tooltip. */
  words: string
}

export interface BarChartSpec {
  bars: readonly Bar[]
  xName: string
  yName: string
}

export function barOption(spec: BarChartSpec, colours: ChartColours): EChartsCoreOption {
  const name = { color: colours['text-soft'], fontSize: 11 }
  const label = { color: colours['text-soft'], fontSize: 11, hideOverlap: true }
  return {
    animation: false,
    textStyle: { fontFamily: colours.font, fontSize: 11 },
    grid: { left: 52, right: 16, top: 24, bottom: 38 },
    xAxis: {
      type: 'category',
      data: spec.bars.map((bar) => bar.label),
      name: spec.xName,
      nameLocation: 'middle',
      nameGap: 24,
      nameTextStyle: name,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: colours.line } },
      axisLabel: label,
    },
    yAxis: {
      type: 'value',
      name: spec.yName,
      nameGap: 8,
      nameTextStyle: { ...name, align: 'left', padding: [0, 0, 0, -40] },
      splitNumber: 3,
      splitLine: { lineStyle: { color: colours.line, opacity: 0.6 } },
      axisLabel: label,
    },
    tooltip: {
      trigger: 'item',
      confine: true,
      transitionDuration: 0,
      className: 'gyre-chart-tooltip',
      borderColor: colours.line,
      backgroundColor: colours.panel,
      textStyle: { color: colours.text, fontSize: 12 },
      formatter: (hit: unknown) => {
        const index =
          typeof hit === 'object' && hit !== null && 'dataIndex' in hit ? Number(hit.dataIndex) : -1
        const node = document.createElement('div')
        node.textContent = spec.bars[index]?.words ?? ''
        return node
      },
    },
    series: [
      {
        type: 'bar',
        barCategoryGap: '20%',
        emphasis: { disabled: true },
        data: spec.bars.map((bar) => ({ value: bar.value, itemStyle: { color: colours[bar.colour] } })),
      },
    ],
  }
}
