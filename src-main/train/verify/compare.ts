// How two results are compared: errors over a tensor, and indices that may differ only where two codes are equally near.
import type { QuantityError } from '#shared/contract/verify'

/** Two best distances that differ by less than this, relative to the second, are a tie. */
const tieLimit = 1e-6

/** max|a−b| and max|a−b| / max|b|; infinite where a value is missing or not finite. 0/0 is 0: nothing differs. */
export function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): [abs: number, rel: number] {
  if (actual.length !== expected.length) return [Infinity, Infinity]
  let [abs, largest] = [0, 0]
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] ?? NaN) - (expected[i] ?? NaN))
    if (!(error <= abs)) abs = Number.isFinite(error) ? error : Infinity
    largest = Math.max(largest, Math.abs(expected[i] ?? 0))
  }
  if (abs === 0) return [0, 0]
  return [abs, abs / largest]
}

/** The worse of two errors of the same quantity, for trajectories; Infinity becomes null on the way out. */
export class Errors {
  readonly #found = new Map<string, [abs: number, rel: number]>()

  add(quantity: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
    const [abs, rel] = difference(actual, expected)
    const [worstAbs, worstRel] = this.#found.get(quantity) ?? [0, 0]
    this.#found.set(quantity, [Math.max(abs, worstAbs), Math.max(rel, worstRel)])
  }

  within(bound: number): boolean {
    return [...this.#found.values()].every(([, rel]) => rel <= bound)
  }

  toQuantities(): Record<string, QuantityError> {
    const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
    return Object.fromEntries(
      [...this.#found].map(([name, [abs, rel]]) => [name, { abs: finite(abs), rel: finite(rel) }]),
    )
  }
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] ?? NaN)) ** 2, 0))
}

/**
 * Are the two codes equally near to the vector? True where they are the two nearest in float64 and their distances
 * differ by less than 1e-6, relative.
 */
export function isTie(
  found: number,
  expected: number,
  vector: readonly number[],
  codes: readonly (readonly number[])[],
): boolean {
  const [mine, theirs] = [codes[found], codes[expected]]
  if (!mine || !theirs) return false
  const [a, b] = [distance(vector, mine), distance(vector, theirs)]
  const [first, second] = [Math.min(a, b), Math.max(a, b)]
  const nearer = codes.some((code, i) => i !== found && i !== expected && distance(vector, code) < first)
  return !nearer && second - first <= tieLimit * second
}

/** x/‖x‖ in float64, for distances between unit vectors. */
export function unit(vector: readonly number[]): number[] {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return vector.map((value) => value / Math.max(length, Number.MIN_VALUE))
}
