// What the worker can do, without the worker: the page's calls, answered in place. Needs a tfjs backend.
import { gradientRows, landscapes } from '../landscapes'
import { NormAverage } from './norm-average'
import { labEstimators, passBack, usesNorms } from './pass-back'
import type { Field, FieldRequest, LabCalls, PairsRequest, Passed } from './protocol'
import { createRandom, draw } from './random'
import { choose, gather, Simulation } from './simulation'

export function createLabCalls(): LabCalls {
  let simulation: Simulation | null = null
  return {
    estimators: labEstimators,
    pairs,
    field,
    start: (spec) => {
      simulation = new Simulation(spec)
      return simulation.frame()
    },
    step: (count) => {
      const running = simulation
      if (!running) throw new RangeError('Start a simulation first.')
      const begun = performance.now()
      const frames = Array.from({ length: count }, () => running.step())
      return { frames, tookMs: performance.now() - begun }
    },
    finish: ({ spec, steps }) => {
      const own = new Simulation(spec)
      let frame = own.frame()
      for (let step = 0; step < steps; step++) frame = own.step()
      return frame
    },
  }
}

function pairs({ estimators, e, q, g, seed }: PairsRequest): Passed[] {
  const noise = draw(e.length, createRandom(seed).normal)
  return estimators.map((estimator) => passBack({ estimator, e, q, noise, upstream: () => g }))
}

function field({ estimators, landscape, codeCount, gridSize, halfWidth, seed }: FieldRequest): Field {
  const random = createRandom(seed)
  const codes = draw(2 * codeCount, () => random.uniform(-halfWidth, halfWidth))
  const place = (index: number): number => ((index + 0.5) / gridSize) * 2 * halfWidth - halfWidth
  const points = new Float32Array(2 * gridSize * gridSize)
  for (let row = 0; row < gridSize; row++)
    for (let column = 0; column < gridSize; column++)
      points.set([place(column), place(row)], 2 * (row * gridSize + column))
  const chosen = choose(points, codes)
  const q = gather(codes, chosen)
  const average = new NormAverage(codeCount, 0)
  if (estimators.some(usesNorms)) average.update(points, chosen)
  const noise = draw(points.length, random.normal)
  const slope = landscapes[landscape]
  return {
    codes,
    points,
    lanes: estimators.map((estimator) =>
      passBack({
        estimator,
        e: points,
        q,
        noise,
        norms: { chosen, average },
        upstream: (forward) => gradientRows(slope, forward),
      }),
    ),
    exact: gradientRows(slope, points),
  }
}
