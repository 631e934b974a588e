// The simulations against a twin in float64 that turns and scales by angles instead of by two reflections, and the
// presets against what they say of themselves.
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { landscapes } from '../../../../src-renderer/pages/lab/landscapes'
import { presets, repeatedOf } from '../../../../src-renderer/pages/lab/simulation-numbers'
import type { Frame, SimulationSpec } from '../../../../src-renderer/pages/lab/worker/protocol'
import { Simulation } from '../../../../src-renderer/pages/lab/worker/simulation'
import { createWorld } from '../../../../src-renderer/pages/lab/worker/worlds'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

const spec: SimulationSpec = {
  kind: 'himmelblau',
  estimators: ['ste', 'rotation'],
  seed: 3,
  pointCount: 100,
  codeCount: 5,
  halfWidth: 6,
}

function run(of: SimulationSpec, steps: number): Frame {
  const simulation = new Simulation(of)
  let frame = simulation.frame()
  for (let step = 0; step < steps; step++) frame = simulation.step()
  return frame
}

type Place = [number, number]
const places = (rows: Float32Array): Place[] =>
  Array.from({ length: rows.length / 2 }, (_, i) => [rows[2 * i] ?? 0, rows[2 * i + 1] ?? 0])
const squared = ([ax, ay]: Place, [bx, by]: Place): number => (ax - bx) ** 2 + (ay - by) ** 2

/** Distortion after `steps` updates, all in float64: g is turned by the angle from q to e. */
function twin(of: SimulationSpec, rotate: boolean, steps: number): number {
  const world = createWorld(of)
  const points = places(world.points)
  let codes = places(world.codes)
  const counts = codes.map(() => 1)
  const sums = codes.map(([x, y]): Place => [x, y])
  const nearest = (e: Place): number =>
    codes.reduce((best, code, k) => (squared(e, code) < squared(e, codes[best] ?? code) ? k : best), 0)
  for (let step = 0; step < steps; step++) {
    const chosen = points.map(nearest)
    const quantized = chosen.map((code): Place => codes[code] ?? [0, 0])
    for (const k of codes.keys()) {
      const members = points.filter((_, i) => chosen[i] === k)
      counts[k] = 0.8 * (counts[k] ?? 0) + 0.2 * members.length
      for (const axis of [0, 1] as const) {
        const sum = members.reduce((total, member) => total + member[axis], 0)
        const kept = sums[k]
        if (kept) kept[axis] = 0.8 * kept[axis] + 0.2 * sum
      }
    }
    const total = counts.reduce((sum, count) => sum + count, 0)
    codes = sums.map(([x, y], k): Place => {
      const size = (((counts[k] ?? 0) + 1e-5) / (total + codes.length * 1e-5)) * total
      return [x / size, y / size]
    })
    points.forEach((e, i) => {
      const q = quantized[i] ?? [0, 0]
      const [gx, gy] = landscapes.himmelblau.gradient(...q)
      const turn = rotate ? Math.atan2(e[1], e[0]) - Math.atan2(q[1], q[0]) : 0
      const scale = rotate ? Math.hypot(...q) / Math.hypot(...e) : 1
      e[0] -= 1e-3 * scale * (Math.cos(turn) * gx - Math.sin(turn) * gy)
      e[1] -= 1e-3 * scale * (Math.sin(turn) * gx + Math.cos(turn) * gy)
    })
  }
  return points.reduce((sum, e) => sum + squared(e, codes[nearest(e)] ?? e), 0) / points.length
}

describe('Himmelblau', () => {
  it.each([0, 1, 20, 60])('agrees with the float64 twin after %i steps', (steps) => {
    const [ste, rotation] = run(spec, steps).lanes
    // One point at a border that goes the other way in float32 moves the mean by about this.
    expect(Math.abs((ste?.distortion ?? 0) - twin(spec, false, steps))).toBeLessThan(2e-2)
    expect(Math.abs((rotation?.distortion ?? 0) - twin(spec, true, steps))).toBeLessThan(2e-2)
  })

  it('shows the same for the same seed, and something else for another', () => {
    expect(run(spec, 10)).toEqual(run(spec, 10))
    expect(run({ ...spec, seed: 4 }, 10)).not.toEqual(run(spec, 10))
  })

  it('starts all estimators from one place', () => {
    const [ste, rotation] = run({ ...spec, estimators: ['ste', 'rotation', 'nsvq'] }, 0).lanes
    expect(ste?.points).toEqual(rotation?.points)
    expect(ste?.codes).toEqual(rotation?.codes)
  })

  it('gives an estimator the same whoever runs beside it', () => {
    const alone = run({ ...spec, estimators: ['diveq'] }, 5).lanes[0]
    const beside = run({ ...spec, estimators: ['ste', 'diveq'] }, 5).lanes[1]
    expect(alone?.points).toEqual(beside?.points)
  })

  it('keeps no tensors', () => {
    const before = tf.memory().numTensors
    run({ ...spec, estimators: ['ste', 'rotation', 'diveq', 'hessian', 'rotation_adaptive'] }, 5)
    expect(tf.memory().numTensors).toBe(before)
  })

  it('says which one is lower where the presets say so, over ten seeds', () => {
    const over = (id: string): { ste: number; rotation: number } => {
      const preset = presets.find((candidate) => candidate.id === id)
      if (!preset) throw new Error(`no preset ${id}`)
      const frames = Array.from({ length: 10 }, (_, seed) =>
        run({ ...preset, estimators: ['ste', 'rotation'], seed }, 100),
      )
      const [ste, rotation] = repeatedOf(frames)
      return { ste: ste?.mean ?? Number.NaN, rotation: rotation?.mean ?? Number.NaN }
    }
    const wide = over('wide')
    expect(wide.rotation).toBeLessThan(wide.ste)
    const narrow = over('narrow')
    expect(narrow.ste).toBeLessThan(narrow.rotation)
  })
})

describe('a lane that diverges', () => {
  it('is named and stands still, and the others go on', () => {
    // An absurd start: the gradient of a fourth power throws points out at once.
    const far = { ...spec, halfWidth: 400, codeCount: 2 }
    const frame = run(far, 3)
    const next = run(far, 4)
    expect(frame.lanes[0]?.divergedAt).toBe(1)
    expect(next.lanes[0]?.points).toEqual(frame.lanes[0]?.points)
  })
})

describe('Voronoi regions', () => {
  const regions: SimulationSpec = { ...spec, kind: 'regions', codeCount: 8, halfWidth: 4 }

  it('leaves the codes where they are and moves straight-through points by one length', () => {
    const start = run(regions, 0)
    const after = run(regions, 1)
    expect(after.lanes[0]?.codes).toEqual(start.lanes[0]?.codes)
    const before = places(start.lanes[0]?.points ?? new Float32Array(0))
    places(after.lanes[0]?.points ?? new Float32Array(0)).forEach((place, i) => {
      expect(Math.sqrt(squared(place, before[i] ?? place))).toBeCloseTo(0.04, 5)
    })
  })

  it('moves rotation’s points by λ of that, in a direction that keeps the angle', () => {
    const start = run(regions, 0)
    const after = run(regions, 1)
    const lane = start.lanes[1]
    if (!lane || !start.pushes) throw new Error('no lane')
    const codes = places(lane.codes)
    const pushes = places(start.pushes)
    const moved = places(after.lanes[1]?.points ?? new Float32Array(0))
    places(lane.points).forEach((e, i) => {
      const k = codes.reduce(
        (best, code, j) => (squared(e, code) < squared(e, codes[best] ?? code) ? j : best),
        0,
      )
      const q: Place = codes[k] ?? [0, 0]
      const push: Place = pushes[k] ?? [0, 0]
      const to: Place = moved[i] ?? [0, 0]
      const step: Place = [to[0] - e[0], to[1] - e[1]]
      expect(Math.hypot(...step) / (0.04 * (Math.hypot(...q) / Math.hypot(...e)))).toBeCloseTo(1, 2)
      const angle = (a: Place, b: Place): number =>
        Math.atan2(a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1])
      expect(Math.cos(angle(e, step) - angle(q, push))).toBeCloseTo(1, 3)
    })
  })
})
