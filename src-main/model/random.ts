// Seeded random numbers with a state that can be stored: the same on every engine, machine and resume.
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator'
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'

export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number
  /** Uniform integer in [0, below). */
  integer(below: number): number
  /** `count` integers in [0, below), without repeats while `below` allows it. */
  choose(below: number, count: number): Int32Array
  /** Everything needed to go on from here, as JSON. */
  state(): number[]
}

export function createRandom(seed: number): Random {
  return wrap(xoroshiro128plus(seed))
}

/** Goes on where `state()` was taken. Throws where it is not such a state. */
export function restoreRandom(state: readonly number[]): Random {
  return wrap(xoroshiro128plusFromState(state))
}

function wrap(generator: RandomGenerator): Random {
  const uniform = (): number => (generator.next() >>> 0) / 4_294_967_296
  const integer = (below: number): number => Math.floor(uniform() * below)
  const choose = (below: number, count: number): Int32Array => {
    if (below < count) return Int32Array.from({ length: count }, () => integer(below))
    // The first `count` steps of a Fisher-Yates shuffle.
    const all = Int32Array.from({ length: below }, (_, i) => i)
    for (let i = 0; i < count; i++) {
      const j = i + integer(below - i)
      const swapped = all[j] ?? 0
      all[j] = all[i] ?? 0
      all[i] = swapped
    }
    return all.slice(0, count)
  }
  return { uniform, integer, choose, state: () => [...generator.getState()] }
}
