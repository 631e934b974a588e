// ECharts with only the parts that Gyre draws, so that the bundle holds no more.
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts'
import { GridComponent, TooltipComponent } from 'echarts/components'
import { init, use, type ECharts, type EChartsCoreOption } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([LineChart, ScatterChart, BarChart, CustomChart, GridComponent, TooltipComponent, CanvasRenderer])

export { init, type ECharts, type EChartsCoreOption }
