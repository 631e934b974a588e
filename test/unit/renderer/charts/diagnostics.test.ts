// @vitest-environment happy-dom
// Histograms over time: what is drawn where, what is said about it, and how much of a long run is kept.
import { describe, expect, it } from 'vitest'
import { angleBins, countInBins, lengthBins, ratioBins, totalOf } from '#shared/histogram'
import type { RunConfig } from '#shared/config/index'
import type { DiagnosticsRecord, TrainRecord } from '#shared/contract/files'
import { heatmapOption } from '../../../../src-renderer/charts/heatmap-option'
import { RunSeries } from '../../../../src-renderer/charts/run-series'
import type { ChartColours } from '../../../../src-renderer/charts/theme'
import {
  explanations,
  figureSpec,
  figureTable,
  heatColumns,
  heatmapSpec,
  histogramTable,
  medianInWords,
  revivedSpec,
  revivedTable,
  summariseFigure,
  summariseHistogram,
  summariseRevived,
  type DiagnosticsView,
} from '../../../../src-renderer/pages/train/diagnostics-charts'

const colours = { dark: false, font: 'sans-serif', text: '#000', rotation: '#00f' } as ChartColours

/** All vectors at λ and at this angle. */
function look(
  step: number,
  lambda: number,
  angle: number,
  more: Partial<DiagnosticsRecord> = {},
): DiagnosticsRecord {
  const many = (value: number): number[] => Array<number>(100).fill(value)
  return {
    kind: 'diagnostics',
    step,
    epoch: step / 100,
    trainedMs: step * 10,
    vectors: 100,
    lambda: countInBins(many(lambda), ratioBins),
    angle: countInBins(many(angle), angleBins),
    encoderLength: countInBins(many(1), lengthBins),
    codeLength: countInBins(many(lambda), lengthBins),
    obtuse: angle > 90 ? 1 : 0,
    gradientCosine: 0.5,
    ...more,
  }
}

const view: DiagnosticsView = { x: 'step', end: 300, colour: 'rotation', median: true }

type Series = { id: string; data: number[][] }
const seriesOf = (option: unknown, id: string): Series | undefined =>
  (option as { series: Series[] }).series.find((one) => one.id === id)

describe('a heatmap', () => {
  const records = [look(1, 0.1, 100), look(20, 1.1, 12)]
  const spec = heatmapSpec(records, 'angle', { ...view, end: 30 })

  it('draws each histogram around its step, bin by bin, and the median', () => {
    const option = heatmapOption(spec, colours)
    // The bins [100°, 105°) and [10°, 15°), full.
    expect(seriesOf(option, 'cells')?.data).toEqual([
      [0, 10.5, 100, 105, 1],
      [10.5, 20, 10, 15, 1],
    ])
    expect(seriesOf(option, 'median')?.data).toEqual([
      [1, 102.5],
      [20, 12.5],
    ])
    expect(seriesOf(option, 'mark')?.data).toEqual([
      [0, 90],
      [30, 90],
    ])
  })

  it('puts log bins on a log axis', () => {
    const option = heatmapOption(
      heatmapSpec([look(5, 1.1, 3)], 'lambda', { ...view, x: 'time', end: 50 }),
      colours,
    )
    const [cell] = seriesOf(option, 'cells')?.data ?? []
    expect(cell?.slice(0, 2)).toEqual([0, 50])
    expect(cell?.[2]).toBeCloseTo(0, 12)
    expect(cell?.[3]).toBeCloseTo(Math.log10(2 ** 0.25), 12)
  })

  it('says in its tooltip where the middle lies', () => {
    const { tooltip } = heatmapOption(spec, colours) as {
      tooltip: { formatter: (hits: unknown) => HTMLElement }
    }
    expect(tooltip.formatter([{ seriesId: 'median', dataIndex: 1 }]).textContent).toBe(
      'Step 20median  12.5°8 of 10 vectors  10.5° to 14.5°',
    )
    expect(tooltip.formatter([]).textContent).toBe('')
  })

  it('adds up neighbours of a long run without losing a vector', () => {
    const many = Array.from({ length: 1001 }, (_, i) => look(i + 1, 1, 10))
    const columns = heatColumns(many, 'lambda', 'step')
    expect(columns.length).toBeLessThanOrEqual(160)
    expect(columns.reduce((sum, { counts }) => sum + totalOf(counts), 0)).toBe(1001 * 100)
    expect(columns.slice(1).map(({ from }) => from)).toEqual(columns.slice(0, -1).map(({ to }) => to))
    expect([columns[0]?.from, columns.at(-1)?.to]).toEqual([0, 1001])
  })

  it('has an empty picture without records', () => {
    const empty = heatmapSpec([], 'codeLength', view)
    expect(seriesOf(heatmapOption(empty, colours), 'cells')?.data).toEqual([])
  })
})

describe('in words and as a table', () => {
  const records = [
    look(1, 0.1, 100),
    look(20, 1.1, 12),
    look(40, 1.1, 12, { obtuse: null, gradientCosine: null }),
  ]

  it('tells where it began and where it is', () => {
    expect(summariseHistogram(records, 'angle')).toBe(
      'Median of the angle at step 40: 12.5° (8 of 10 vectors between 10.5° and 14.5°). It was 103° (8 of 10 vectors between 101° and 105°) at step 1.',
    )
    expect(summariseFigure(records, 'obtuse')).toBe(
      'obtuse angles went from 100 % at step 1 to 0 % at step 20.',
    )
    expect(medianInWords(records, 'angle')).toBe('12.5°')
    expect([summariseHistogram([], 'lambda'), summariseFigure([], 'gradientCosine')]).toEqual(
      Array(2).fill('No values yet.'),
    )
  })

  it('gives the numbers, newest first', () => {
    expect(histogramTable(records, 'angle').rows).toEqual([
      ['40', '10.5°', '12.5°', '14.5°', '100'],
      ['20', '10.5°', '12.5°', '14.5°', '100'],
      ['1', '101°', '103°', '105°', '100'],
    ])
    expect(figureTable(records, 'gradientCosine').rows).toEqual([
      ['40', '–'],
      ['20', '0.5'],
      ['1', '0.5'],
    ])
    const long = Array.from({ length: 999 }, (_, i) => look(i + 1, 1, 10))
    const { rows, note } = histogramTable(long, 'lambda')
    expect(rows.length).toBeLessThanOrEqual(200)
    expect(rows[0]?.[0]).toBe('999')
    expect(note).toContain('999')
  })

  it('leaves a gap in the lines where nothing was known', () => {
    const [curve] = figureSpec(records, 'gradientCosine', view).curves
    expect(curve?.line).toEqual({ x: [1, 20], y: [0.5, 0.5] })
  })

  it('explains what is special about a run', () => {
    const words = (change: Partial<RunConfig>): Record<string, string> =>
      explanations({ quantizer: 'vq', estimator: 'rotation', distance: 'euclidean', ...change })
    expect(words({ estimator: 'ste' })['gradientCosine']).toContain('this is 1')
    // Brings its own gradient: what is chosen as estimator says nothing.
    expect(words({ estimator: 'ste', quantizer: 'ibq' })['gradientCosine']).not.toContain('this is 1')
    expect(words({})['lambda']).toContain('commitment loss')
    expect(words({ distance: 'cosine' })['lambda']).toContain('stays at 1')
  })
})

describe('revived codes', () => {
  const train = (step: number, revived?: number): TrainRecord => ({
    ...{ kind: 'train', step, epoch: step / 100, trainedMs: step * 10, loss: 1, mse: 1, commitmentLoss: 0 },
    ...{ quantizationError: 0, learningRate: 1, gradientNorm: 1, stepsPerSecond: 1, imagesPerSecond: 1 },
    ...{ dataWaitFraction: 0, ...(revived === undefined ? {} : { revived }) },
  })

  it('are those of complete windows', () => {
    const series = new RunSeries()
    series.add([train(50), train(100, 30), train(150), train(200, 2)])
    const spec = revivedSpec(series, view)
    expect(spec.curves[0]?.line).toEqual({ x: [100, 200], y: [30, 2] })
    expect(summariseRevived(spec)).toBe('32 codes revived in 2 windows, 2 in the newest.')
    expect(revivedTable(spec, 'step').rows).toEqual([
      ['200', '2'],
      ['100', '30'],
    ])
  })
})
