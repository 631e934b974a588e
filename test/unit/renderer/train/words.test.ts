// What the Train page says and shows about a run, in every state.
import { describe, expect, it } from 'vitest'
import { runStatuses, type EvaluationRecord, type RunFile, type TrainRecord } from '#shared/contract/files'
import { defaultConfig } from '#shared/config/schema'
import { RunSeries } from '../../../../src-renderer/charts/run-series'
import { keepUp, moveTo } from '../../../../src-renderer/pages/train/sample-steps'
import {
  chartSpec,
  codebookPlan,
  lossPlan,
  summarise,
  tableOf,
  type ChartView,
} from '../../../../src-renderer/pages/train/train-charts'
import {
  methodWords,
  noImagesYet,
  noValuesYet,
  psnrOf,
  situationOf,
} from '../../../../src-renderer/pages/train/words'

function run(change: Partial<RunFile>): RunFile {
  return {
    schemaVersion: 1,
    id: 'run',
    name: 'emoji',
    notes: '',
    createdAt: '',
    updatedAt: '',
    config: { ...defaultConfig, steps: 1000, evaluateEvery: 100 },
    engineWish: 'auto',
    engine: null,
    dataset: { id: 'd', name: 'd', fingerprint: '', source: '', imageCount: 10 },
    status: 'running',
    step: 530,
    trainedMs: 0,
    parameters: 0,
    startedFrom: null,
    last: null,
    best: null,
    error: null,
    ...change,
  }
}

describe('situationOf', () => {
  it('is silent while a run trains or is about to, and speaks in every other state', () => {
    const silent = runStatuses.filter((status) => situationOf(run({ status }), 500) === null)
    expect(silent).toEqual(['created', 'preparing', 'running'])
  })

  it('offers the saved step after an interruption', () => {
    const situation = situationOf(run({ status: 'interrupted' }), 500)
    expect(situation).toMatchObject({
      tone: 'trouble',
      resume: 'Resume from step 500',
      needsMoreSteps: false,
    })
    expect(situation?.text).toContain('step 500 is saved')
    expect(situationOf(run({ status: 'interrupted' }), null)?.resume).toBe('Start again')
  })

  it('names the reason of an interruption where there is one, and promises nothing before it knows what is saved', () => {
    const error = { code: 'crashed', message: 'The trainer was ended from outside.' }
    const situation = situationOf(run({ status: 'interrupted', error }), undefined)
    expect(situation?.text).toBe('The trainer was ended from outside.')
    expect(situation?.resume).toBeNull()
  })

  it('says that smaller batches are tried, which is no training any more', () => {
    const error = { code: 'out-of-memory', message: 'The memory is not enough for this.' }
    expect(situationOf(run({ status: 'running', error }), undefined)).toMatchObject({
      title: 'Training ended.',
      text: expect.stringContaining('trying smaller batches') as string,
      resume: null,
    })
  })

  it('repeats what the service said about a failure', () => {
    const error = { code: 'out-of-memory', message: 'No memory for batches of 512.', hint: 'Try 64.' }
    expect(situationOf(run({ status: 'failed', error }), 500)?.text).toMatch(/batches of 512\. Try 64\./)
    expect(situationOf(run({ status: 'failed', error }), 500)?.redesign).toBeUndefined()
  })

  it('offers the batch size that fits, and another design after a divergence', () => {
    const error = { code: 'out-of-memory', message: 'No memory for batches of 512.', batchSize: 64 }
    const situation = situationOf(run({ status: 'failed', error }), 500)
    expect(situation?.redesign).toBe('Design with batch size 64')
    expect(situationOf(run({ status: 'diverged' }), 500)?.redesign).toBe('Change the design')
  })

  it('asks for more steps past the end', () => {
    expect(situationOf(run({ status: 'finished', step: 1000 }), 1000)?.needsMoreSteps).toBe(true)
    expect(situationOf(run({ status: 'stopped', step: 400 }), 400)?.needsMoreSteps).toBe(false)
  })
})

describe('an empty chart', () => {
  it('promises values only while they can come', () => {
    for (const status of runStatuses) {
      const active = ['created', 'preparing', 'running', 'paused'].includes(status)
      expect(noValuesYet(run({ status })).includes('come in a moment'), status).toBe(active)
      expect(noImagesYet(run({ status })).includes('after 100 steps'), status).toBe(active)
    }
  })
})

describe('psnrOf', () => {
  it('is 10·log10(4 / mse)', () => {
    expect(psnrOf(0.04)).toBe('20.0 dB')
    expect(psnrOf(0)).toBe('')
    expect(psnrOf(Number.NaN)).toBe('')
  })
})

describe('the scrubber', () => {
  it('follows the newest until the person goes back, and again at the end', () => {
    expect(keepUp({ index: 1, following: true }, [100, 200], [100, 200, 300])).toEqual({
      index: 2,
      following: true,
    })
    const back = moveTo(0, [100, 200, 300])
    expect(back).toEqual({ index: 0, following: false })
    expect(keepUp(back, [100, 200, 300], [100, 200, 300, 400])).toEqual({ index: 0, following: false })
    expect(moveTo(99, [100, 200])).toEqual({ index: 1, following: true })
    expect(moveTo(-1, [])).toEqual({ index: 0, following: true })
  })

  it('stays on its step when earlier ones are dropped, and follows when its own is gone', () => {
    const at300 = { index: 2, following: false }
    expect(keepUp(at300, [100, 200, 300, 400], [200, 300, 400])).toEqual({ index: 1, following: false })
    expect(keepUp(at300, [100, 200, 300], [400])).toEqual({ index: 0, following: true })
  })
})

describe('the charts', () => {
  const train = (step: number, mse: number, more: Partial<TrainRecord> = {}): TrainRecord => ({
    kind: 'train',
    step,
    epoch: step / 100,
    trainedMs: step * 10,
    loss: mse,
    mse,
    commitmentLoss: mse / 10,
    quantizationError: 0.1,
    learningRate: 1e-3,
    gradientNorm: 1,
    stepsPerSecond: 1,
    imagesPerSecond: 32,
    dataWaitFraction: 0,
    ...more,
  })
  const evaluation: EvaluationRecord = {
    kind: 'evaluation',
    step: 200,
    epoch: 2,
    trainedMs: 2000,
    best: true,
    validation: {
      mse: 0.3,
      psnr: 11,
      usage: 0.25,
      usagePer256: 0.2,
      perplexity: 64,
      quantizationError: 0.1,
      commitmentLoss: 0.04,
      images: 20,
    },
  }
  const series = new RunSeries()
  series.add([train(100, 0.8), train(200, 0.4, { usage: 0.5, perplexity: 128 }), evaluation])
  const view: ChartView = { x: 'step', smoothing: 0, log: true, hidden: new Set(), main: 'rotation' }

  it('draws what the run has, raw under smoothed, with validation dots', () => {
    const plain = chartSpec(series, lossPlan(view), view, { name: '' })
    expect(plain.curves.map(({ id, raw }) => [id, raw])).toEqual([
      ['mse', undefined],
      ['commitmentLoss', undefined],
    ])
    expect(plain.curves[0]?.line).toEqual({ x: [100, 200], y: [0.8, 0.4] })
    expect(plain.curves[0]?.dots).toEqual({ x: [200], y: [0.3] })
    const smoothed = chartSpec(series, lossPlan(view), { ...view, smoothing: 0.5 }, { name: '' })
    expect(smoothed.curves[0]?.raw?.y).toEqual([0.8, 0.4])
    expect(smoothed.curves[0]?.line.y[1]).toBeCloseTo((0.5 * 0.4 + 0.5 * 0.4) / 0.75, 12)
  })

  it('moves along epochs and time, and hides what was switched off', () => {
    const time = chartSpec(
      series,
      lossPlan(view),
      { ...view, x: 'time', hidden: new Set(['commitmentLoss']) },
      { name: '' },
    )
    expect(time.curves.map(({ line }) => line.x)).toEqual([[1000, 2000]])
    expect(time.x.max).toBe(2000)
  })

  it('puts usage and perplexity on one scale: shares of K', () => {
    const spec = chartSpec(series, codebookPlan(view, 512), { ...view, log: false }, { name: '' })
    expect(spec.curves.map(({ line }) => line.y)).toEqual([[0.5], [0.25]])
    expect(spec.curves[0]?.format?.(0.5)).toBe('50 %, 256 codes')
    expect(spec.curves[1]?.format?.(0.25)).toBe('128')
  })

  it('says the same in words and as a table', () => {
    expect(summarise(series, lossPlan(view))).toBe(
      'mse went from 0.8 to 0.4, 0.3 on validation images at step 200. ' +
        'commitment loss went from 0.08 to 0.04, 0.04 on validation images at step 200.',
    )
    expect(tableOf(series, lossPlan(view)).rows).toEqual([
      ['200', '0.4', '0.04'],
      ['100', '0.8', '0.08'],
    ])
    expect(tableOf(series, codebookPlan(view, 512)).rows).toEqual([['200', '50 %, 256 codes', '128']])
    expect(summarise(new RunSeries(), lossPlan(view))).toBe('No values yet.')
  })
})

it('names a method, and its quantizer where that is not one codebook', () => {
  expect(methodWords({ quantizer: 'vq', estimator: 'rotation' })).toBe('rotation trick')
  expect(methodWords({ quantizer: 'vq', estimator: 'nsvq' })).toBe('NSVQ')
  expect(methodWords({ quantizer: 'residual', estimator: 'rotation' })).toBe('Residual, rotation trick')
  expect(methodWords({ quantizer: 'fsq', estimator: 'ste' })).toBe('FSQ')
})
