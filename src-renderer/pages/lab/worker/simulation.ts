// Points that walk down a gradient which passes a quantizer, once for each estimator, all from the same start.
import { nearestCode } from '../plane'
import { CodeAverage } from './code-average'
import { NormAverage } from './norm-average'
import { passBack, usesNorms } from './pass-back'
import type { Frame, Lane, SimulationSpec } from './protocol'
import { createRandom, draw } from './random'
import { createWorld, type World } from './worlds'

/** Beyond this a point has left every picture; the lane has diverged. */
const bound = 1e4
/** Of what codes remember of their vectors' lengths. */
const normDecay = 0.8

interface LaneState {
  estimator: string
  points: Float32Array
  codes: Float32Array
  average: CodeAverage | null
  norms: NormAverage | null
  value: number | null
  divergedAt: number | null
}

export class Simulation {
  private readonly world: World
  private readonly lanes: LaneState[]
  private steps = 0

  constructor(private readonly spec: SimulationSpec) {
    this.world = createWorld(spec)
    this.lanes = spec.estimators.map((estimator) => {
      const codes = this.world.codes.slice()
      const { codeDecay } = this.world
      return {
        estimator,
        points: this.world.points.slice(),
        codes,
        average: codeDecay === null ? null : new CodeAverage(codes, codeDecay),
        norms: usesNorms(estimator) ? new NormAverage(codes.length / 2, normDecay) : null,
        value: null,
        divergedAt: null,
      }
    })
  }

  /** One update of every lane: choose codes, pass the gradient back, let the codes follow, move the points. */
  step(): Frame {
    this.steps++
    const noise = this.noise()
    for (const lane of this.lanes) if (lane.divergedAt === null) this.advance(lane, noise)
    return this.frame()
  }

  frame(): Frame {
    return { step: this.steps, pushes: this.world.pushes, lanes: this.lanes.map(laneFrame) }
  }

  /** The same noise for every lane, another one in every step. */
  private noise(): Float32Array {
    const random = createRandom(this.spec.seed * 1009 + this.steps)
    return draw(this.world.points.length, random.normal)
  }

  private advance(lane: LaneState, noise: Float32Array): void {
    const { learningRate, upstream, value } = this.world
    const { points, codes } = lane
    const chosen = choose(points, codes)
    lane.norms?.update(points, chosen)
    const { forward, gradient } = passBack({
      estimator: lane.estimator,
      e: points,
      q: gather(codes, chosen),
      noise,
      ...(lane.norms ? { norms: { chosen, average: lane.norms } } : {}),
      upstream: (places) => upstream(places, chosen),
    })
    if (value) lane.value = meanOf(forward, value)
    lane.average?.update(points, chosen)
    let largest = 0
    for (let j = 0; j < points.length; j++) {
      const moved = (points[j] ?? 0) - learningRate * (gradient[j] ?? 0)
      points[j] = moved
      largest = Math.max(largest, Math.abs(moved))
    }
    if (!(largest < bound)) lane.divergedAt = this.steps
  }
}

/** Index of the nearest code of every point. */
export function choose(points: Float32Array, codes: Float32Array): Uint16Array {
  return Uint16Array.from({ length: points.length / 2 }, (_, i) =>
    nearestCode(points[2 * i] ?? 0, points[2 * i + 1] ?? 0, codes),
  )
}

/** Rows of `codes` by index. */
export function gather(codes: Float32Array, chosen: Uint16Array): Float32Array {
  const rows = new Float32Array(2 * chosen.length)
  chosen.forEach((code, i) => {
    rows[2 * i] = codes[2 * code] ?? 0
    rows[2 * i + 1] = codes[2 * code + 1] ?? 0
  })
  return rows
}

function laneFrame({ estimator, points, codes, value, divergedAt }: LaneState): Lane {
  const chosen = choose(points, codes)
  const q = gather(codes, chosen)
  let squares = 0
  for (let j = 0; j < points.length; j++) squares += ((points[j] ?? 0) - (q[j] ?? 0)) ** 2
  return {
    estimator,
    points: points.slice(),
    codes: codes.slice(),
    distortion: squares / chosen.length,
    value,
    usedCodes: new Set(chosen).size,
    divergedAt,
  }
}

function meanOf(places: Float32Array, value: (x: number, y: number) => number): number {
  let sum = 0
  for (let i = 0; i < places.length; i += 2) sum += value(places[i] ?? 0, places[i + 1] ?? 0)
  return (2 * sum) / places.length
}
