// Seeded random numbers for the Lab: the same seed shows the same picture on every machine.
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

export interface Random {
  /** Uniform in [low, high). */
  uniform: (low: number, high: number) => number
  /** Normal with mean 0 and variance 1. */
  normal: () => number
  /** Uniform integer in [0, below). */
  integer: (below: number) => number
}

export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed)
  const unit = (): number => (generator.next() >>> 0) / 4_294_967_296
  return {
    uniform: (low, high) => low + (high - low) * unit(),
    // Box-Muller; 1 − u is never zero.
    normal: () => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit()),
    integer: (below) => Math.floor(unit() * below),
  }
}

/** `count` numbers drawn one after the other. */
export function draw(count: number, one: () => number): Float32Array {
  return Float32Array.from({ length: count }, one)
}
