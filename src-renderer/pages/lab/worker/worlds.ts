// The two simulations' starting points and rules, drawn from a seed: where points and codes begin, what gradient
// arrives at the quantizer, whether the codes follow.
import { gradientRows, landscapes } from '../landscapes'
import type { SimulationSpec } from './protocol'
import { createRandom, draw, type Random } from './random'

export interface World {
  points: Float32Array
  codes: Float32Array
  learningRate: number
  /** Codes follow the means of their points by an exponential moving average with this decay; null: they stay. */
  codeDecay: number | null
  /** g = ∂L/∂q̃ at the forward values [N, 2], whose codes are `chosen`. */
  upstream: (forward: Float32Array, chosen: Uint16Array) => Float32Array
  /** The step direction of each code's region, where g is constant there [K, 2]. */
  pushes: Float32Array | null
  /** f at one place, if the gradient is that of a function. */
  value: ((x: number, y: number) => number) | null
}

export function createWorld(spec: SimulationSpec): World {
  const random = createRandom(spec.seed)
  return spec.kind === 'himmelblau' ? himmelblau(spec, random) : regions(spec, random)
}

/** A.2: points free and uniform, lr 1e-3, codes by EMA 0.8. The paper names no counts; codes start uniform as well. */
function himmelblau({ pointCount, codeCount, halfWidth }: SimulationSpec, random: Random): World {
  const anywhere = (): number => random.uniform(-halfWidth, halfWidth)
  return {
    points: draw(2 * pointCount, anywhere),
    codes: draw(2 * codeCount, anywhere),
    learningRate: 1e-3,
    codeDecay: 0.8,
    upstream: (forward) => gradientRows(landscapes.himmelblau, forward),
    pushes: null,
    value: landscapes.himmelblau.value,
  }
}

/** A.10.5: four Gaussians of points, codes that stay, one constant gradient of length 1 for each code's region. */
function regions({ pointCount, codeCount, halfWidth }: SimulationSpec, random: Random): World {
  const centres = draw(8, () => random.uniform(-0.6 * halfWidth, 0.6 * halfWidth))
  const points = new Float32Array(2 * pointCount)
  for (let i = 0; i < pointCount; i++) {
    const centre = i % 4
    for (const axis of [0, 1])
      points[2 * i + axis] = (centres[2 * centre + axis] ?? 0) + 0.15 * halfWidth * random.normal()
  }
  const codes = draw(2 * codeCount, () => random.uniform(-halfWidth, halfWidth))
  const pushes = new Float32Array(2 * codeCount)
  for (let k = 0; k < codeCount; k++) {
    const direction = random.uniform(-Math.PI, Math.PI)
    pushes.set([Math.cos(direction), Math.sin(direction)], 2 * k)
  }
  return {
    points,
    codes,
    learningRate: halfWidth / 100,
    codeDecay: null,
    upstream: (forward, chosen) => {
      const gradients = new Float32Array(forward.length)
      chosen.forEach((code, i) => {
        gradients[2 * i] = -(pushes[2 * code] ?? 0)
        gradients[2 * i + 1] = -(pushes[2 * code + 1] ?? 0)
      })
      return gradients
    },
    pushes,
    value: null,
  }
}
