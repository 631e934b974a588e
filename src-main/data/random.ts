// Randomness by address: every draw belongs to (seed, purpose, number), so that a position in training is one
// number and resuming needs no generator state.
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator'

export type Purpose = 'shuffle' | 'batch'
const purposeNumber: Readonly<Record<Purpose, number>> = { shuffle: 0x51ed270b, batch: 0x2545f491 }

/** 32-bit mixing step (the finalizer of MurmurHash3): every input bit reaches every output bit. */
function mix(value: number): number {
  let x = value | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}

/** The generator of draw number `counter` (a safe integer from 0) for one purpose of one seed. */
export function randomAt(seed: number, purpose: Purpose, counter: number): RandomGenerator {
  const low = counter | 0
  const high = Math.floor(counter / 2 ** 32) | 0
  let word = mix(seed ^ 0x9e3779b9)
  const state = [purposeNumber[purpose], low, high, 0x7f4a7c15].map((part) => {
    word = mix(Math.imul(word, 0x01000193) + part)
    return word
  })
  // Neighbouring states resemble each other in their first outputs; a few steps part them.
  const generator = xoroshiro128plusFromState(state)
  for (let i = 0; i < 8; i++) generator.next()
  return generator
}

/** A uniform whole number in [from, to]. */
export function drawInt(random: RandomGenerator, from: number, to: number): number {
  return uniformInt(random, from, to)
}

/** The numbers 0…count−1 in random order (Fisher–Yates). */
export function shuffled(count: number, random: RandomGenerator): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = uniformInt(random, 0, i)
    const kept = order[i] ?? 0
    order[i] = order[j] ?? 0
    order[j] = kept
  }
  return order
}
