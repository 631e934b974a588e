// The curves of a run: order, replacement after a rewind, bounded size without losing a stretch.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DiagnosticsRecord, EvaluationRecord, EventRecord, TrainRecord } from '#shared/contract/files'
import { RunSeries } from '../../../../src-renderer/charts/run-series'

function train(step: number, values: Partial<TrainRecord> = {}): TrainRecord {
  return {
    kind: 'train',
    step,
    epoch: step / 100,
    trainedMs: step * 10,
    loss: 1 / (step + 1),
    mse: 0.5 / (step + 1),
    commitmentLoss: 0.1,
    quantizationError: 0.2,
    learningRate: 3e-4,
    gradientNorm: 1,
    stepsPerSecond: 100,
    imagesPerSecond: 3200,
    dataWaitFraction: 0,
    ...values,
  }
}

function evaluation(step: number, mse: number): EvaluationRecord {
  const validation = {
    mse,
    psnr: 10 * Math.log10(4 / mse),
    usage: 0.5,
    usagePer256: 0.4,
    perplexity: 40,
    quantizationError: 0.1,
    commitmentLoss: 0.05,
    images: 256,
  }
  return { kind: 'evaluation', step, epoch: 0, trainedMs: step * 10, best: true, validation }
}

const paused: EventRecord = { kind: 'event', step: 20, trainedMs: 200, event: 'paused', message: 'Paused' }

describe('RunSeries', () => {
  it('keeps columns in step order and counts its changes', () => {
    const series = new RunSeries()
    series.add([train(10, { usage: 0.25 }), train(20), evaluation(20, 0.05), paused])
    expect([...series.column('step')]).toEqual([10, 20])
    expect([...series.column('usage')]).toEqual([0.25, Number.NaN])
    expect(series.newest('usage')).toBe(0.25)
    expect(series.newest('codebookLoss')).toBeNull()
    expect(series.latest?.step).toBe(20)
    expect(series.lastStep).toBe(20)
    expect(series.version).toBe(1)
    series.add([])
    expect(series.version).toBe(1)
  })

  it('replaces what a rewound run trains again, and takes the same record twice without doubling it', () => {
    const series = new RunSeries()
    series.add([train(10), train(20), train(30), evaluation(30, 0.04), paused])
    series.add([train(20, { loss: 7 }), paused])
    expect([...series.column('step')]).toEqual([10, 20])
    expect(series.column('loss')[1]).toBe(7)
    series.add([evaluation(30, 0.03), evaluation(30, 0.03)])
    expect(series.evaluations.map(({ validation }) => validation.mse)).toEqual([0.03])
    expect(series.events).toHaveLength(1)
  })

  it('keeps diagnostics apart, bounded, with the beginning and the newest, and rewinds them too', () => {
    const look = (step: number): DiagnosticsRecord => ({
      ...{ kind: 'diagnostics', step, epoch: 0, trainedMs: 0, vectors: 1, obtuse: null, gradientCosine: 1 },
      ...{ lambda: [], angle: [], encoderLength: [], codeLength: [] },
    })
    const series = new RunSeries()
    series.add(Array.from({ length: 5000 }, (_, i) => look(i + 1)))
    const steps = series.diagnostics.map(({ step }) => step)
    expect(steps.length).toBeLessThanOrEqual(1000)
    expect(steps.slice(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(steps.at(-1)).toBe(5000)
    expect(series.lastStep).toBe(5000)
    expect(series.events).toEqual([])
    series.add([look(3)])
    expect(series.diagnostics.map(({ step }) => step)).toEqual([1, 2, 3])
    series.clear()
    expect(series.diagnostics).toEqual([])
  })

  it('ends the same however a stream with an overlap is cut (re-attach law)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(60), fc.nat(60), (count, a, b) => {
        const all = Array.from({ length: count }, (_, i) => train(i + 1))
        const fetched = Math.min(count, Math.max(a, b))
        const firstEvent = Math.min(a, b, count)
        const series = new RunSeries()
        series.add(all.slice(0, fetched))
        for (const record of all.slice(firstEvent)) series.add([record])
        expect([...series.column('step')]).toEqual(all.map(({ step }) => step))
      }),
    )
  })

  it('stays within its capacity, keeps the newest rows exactly and the mean of all', () => {
    const series = new RunSeries(8)
    series.add(Array.from({ length: 12 }, (_, i) => train(i + 1, { mse: i, dead: i })))
    // Eight rows were merged into four of two, then four more came.
    expect([...series.column('step')]).toEqual([2, 4, 6, 8, 9, 10, 11, 12])
    expect([...series.column('mse')]).toEqual([0.5, 2.5, 4.5, 6.5, 8, 9, 10, 11])
    expect([...series.column('dead')].slice(0, 2)).toEqual([1, 3])
    expect(series.length).toBe(8)
  })

  it('keeps a window value through a merge with rows that have none', () => {
    const series = new RunSeries(2)
    series.add([train(1, { usage: 0.5 }), train(2), train(3)])
    expect(series.column('usage')[0]).toBe(0.5)
  })

  it('refuses a capacity that cannot be halved', () => {
    expect(() => new RunSeries(7)).toThrow(RangeError)
  })
})
