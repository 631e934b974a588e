// The functions of the plane that the Lab descends, with their gradients in closed form. Pure.

export interface Landscape {
  label: string
  value: (x: number, y: number) => number
  gradient: (x: number, y: number) => readonly [number, number]
}

/** Nearer to the line ½x + tanh y = 0 than this, the logarithm is taken as if it were this far away. */
const nearLine = 1e-3

function ridgeDepth(x: number, y: number): number {
  const depth = 0.5 * x + Math.tanh(y)
  return Math.abs(depth) < nearLine ? (depth < 0 ? -nearLine : nearLine) : depth
}

/** The two functions of the paper's Fig. 2, and Himmelblau's (A.2), whose four minima are all zero. */
export const landscapes = {
  bowl: {
    label: 'x² + y²',
    value: (x, y) => x * x + y * y,
    gradient: (x, y) => [2 * x, 2 * y],
  },
  ridge: {
    label: 'log |½x + tanh y|',
    value: (x, y) => Math.log(Math.abs(ridgeDepth(x, y))),
    gradient: (x, y) => {
      const depth = ridgeDepth(x, y)
      return [0.5 / depth, (1 - Math.tanh(y) ** 2) / depth]
    },
  },
  himmelblau: {
    label: '(x² + y − 11)² + (x + y² − 7)²',
    value: (x, y) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
    gradient: (x, y) => {
      const first = x * x + y - 11
      const second = x + y * y - 7
      return [4 * x * first + 2 * second, 2 * first + 4 * y * second]
    },
  },
} as const satisfies Record<string, Landscape>

export type LandscapeId = keyof typeof landscapes

/** Gradients at rows of places [N, 2]. */
export function gradientRows(landscape: Landscape, places: Float32Array): Float32Array {
  const gradients = new Float32Array(places.length)
  for (let i = 0; i < places.length; i += 2) {
    gradients.set(landscape.gradient(places[i] ?? 0, places[i + 1] ?? 0), i)
  }
  return gradients
}
