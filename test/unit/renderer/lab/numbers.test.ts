// The Lab's numbers in words: what an estimator hands back, how fields compare, who is ahead.
import { describe, expect, it } from 'vitest'
import { coloursOf } from '../../../../src-renderer/pages/lab/colours'
import { agreement, fieldPath, fullLength } from '../../../../src-renderer/pages/lab/field-numbers'
import { figure, orderInWords, repeatedOf } from '../../../../src-renderer/pages/lab/simulation-numbers'
import { factsOf, handedOf, summaryOf, type Stage } from '../../../../src-renderer/pages/lab/vector-numbers'
import type { Frame, Lane } from '../../../../src-renderer/pages/lab/worker/protocol'

const stage: Stage = { e: { x: 1, y: 0 }, q: { x: 0, y: 2 }, g: { x: 0, y: 1 } }
const look = { name: 'Rotation trick', colour: 'blue' }
const passed = (x: number, y: number) => ({
  estimator: 'rotation',
  forward: Float32Array.of(0, 2),
  gradient: Float32Array.of(x, y),
})

describe('one vector', () => {
  it('states lengths and angles of what was handed back', () => {
    // λ = 2 and a quarter turn: g along q becomes 2 along e.
    const handed = handedOf(stage, passed(2, 0), look)
    expect(handed.scale).toBe(2)
    expect(handed.toE).toBe(0)
    expect(handed.turned).toBe(90)
    expect(factsOf(stage).map(({ value }) => value)).toEqual(['2', '90.0°', '5', '0.0°', '1'])
    expect(summaryOf(stage, [handed])).toContain('Rotation trick: length 2, angle to e 0.0°.')
  })

  it('says where a step against the gradient leads', () => {
    expect(handedOf(stage, passed(1, -2), look).moves).toBe('steps nearer to q')
    expect(handedOf(stage, passed(-1, 2), look).moves).toBe('steps away from q')
    expect(handedOf(stage, passed(2, 1), look).moves).toBe('steps around q')
    expect(handedOf(stage, passed(0, 0), look).moves).toBe('stands still')
  })
})

describe('fields', () => {
  it('compare angles and lengths with the exact gradient', () => {
    const exact = Float32Array.of(1, 0, 1, 0, 1, 0)
    const { medianAngle, uphill, medianScale } = agreement(Float32Array.of(2, 0, 0, 2, -2, 0.0001), exact)
    expect(medianAngle).toBeCloseTo(90, 6)
    expect(uphill).toBeCloseTo(1 / 3, 6)
    expect(medianScale).toBeCloseTo(2, 6)
  })

  it('draw against the gradient, no arrow longer than a cell', () => {
    const points = Float32Array.of(-1, -1, 1, -1, -1, 1, 1, 1)
    const path = fieldPath({ size: 200, halfWidth: 2 }, points, Float32Array.of(9, 0, 0, 0, 0, 0, 0, 0), 1)
    const [, from, to] = /^M(\S+) \S+L(\S+) /.exec(path) ?? []
    expect(Number(from)).toBeGreaterThan(Number(to))
    expect(Number(from) - Number(to)).toBeLessThanOrEqual(100)
    expect(path.match(/M/g)).toHaveLength(2)
    expect(fullLength([Float32Array.of(3, 4)])).toBe(5)
  })
})

const lane = (estimator: string, distortion: number, divergedAt: number | null = null): Lane => ({
  estimator,
  points: new Float32Array(2),
  codes: new Float32Array(2),
  distortion,
  value: null,
  usedCodes: 1,
  divergedAt,
})
const frame = (...lanes: Lane[]): Frame => ({ step: 100, pushes: null, lanes })
const name = (id: string): string => id.toUpperCase()

describe('who is ahead', () => {
  it('is the lowest distortion, whichever estimator has it', () => {
    expect(orderInWords(frame(lane('ste', 2.75), lane('rotation', 3.34)), name)).toBe(
      'Step 100: lowest distortion STE, 2.75; ROTATION 3.34.',
    )
    expect(orderInWords(frame(lane('ste', 5.06), lane('rotation', 4.51)), name)).toBe(
      'Step 100: lowest distortion ROTATION, 4.51; STE 5.06.',
    )
  })

  it('leaves out what diverged, and says so', () => {
    expect(orderInWords(frame(lane('ste', 2), lane('nsvq', 0.1, 7)), name)).toBe(
      'Step 100: lowest distortion STE, 2.00. NSVQ diverged at step 7.',
    )
    expect(orderInWords(frame(lane('nsvq', Number.NaN, 7)), name)).toBe('NSVQ diverged at step 7.')
  })

  it('over seeds has mean, spread and how often each was lowest', () => {
    const rows = repeatedOf([
      frame(lane('ste', 1), lane('rotation', 2)),
      frame(lane('ste', 3), lane('rotation', 2)),
      frame(lane('ste', 0, 5), lane('rotation', 5)),
    ])
    expect(rows).toEqual([
      { estimator: 'ste', mean: 2, deviation: Math.SQRT2, value: null, lowest: 1, diverged: 1 },
      { estimator: 'rotation', mean: 3, deviation: Math.sqrt(3), value: null, lowest: 2, diverged: 0 },
    ])
  })

  it('keeps three digits', () => {
    expect([5, 0.4567, 123.4, 20_000, 1e-5].map(figure)).toEqual(['5.00', '0.457', '123', '20,000', '1.0e-5'])
  })
})

it('rotation and straight-through keep their colours, the others share none', () => {
  const colours = coloursOf(['reflection', 'rotation', 'diveq', 'ste', 'nsvq'])
  expect(colours[1]).toBe('var(--rotation)')
  expect(colours[3]).toBe('var(--ste)')
  expect(new Set(colours).size).toBe(5)
})
