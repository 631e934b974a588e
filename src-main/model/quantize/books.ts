// The variables of the codebooks: one codebook as `codebook` [K, D], several as [B, K, Db]; running figures beside them; or
// none, for fixed grids. SimVQ's codes are made anew from a frozen codebook and a trained map.
import * as tf from '@tensorflow/tfjs-core'
import { bookCount, bookDim, hasCodebook, usesEstimatorNamed } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import type { NormStatistics } from '#shared/quantize/rotation-adaptive'
import type { Assignment } from '../optimizer'
import type { Random } from '../random'
import {
  countDeadCodes,
  kaimingCodes,
  onCodeSpace,
  reviveDeadCodes,
  startState,
  updateState,
  type CodebookState,
} from './codebook'
import { gridCodes } from './grids'
import { dataCodes, kmeansCodes } from './initial-codes'
import { toSearchSpace } from './look-up'
import { normals } from './noise'
import { nearestCodes } from './search'
import type { Answer, StepNoise } from './types'
import { mapped, type VectorStream } from './vector-stream'

export interface Books {
  trainable: ReadonlyMap<string, tf.Variable>
  state: ReadonlyMap<string, tf.Variable>
  /** B × [K, Db]: under the tape, gradients reach the trained variables. */
  all: () => readonly tf.Tensor2D[]
  /** Per codebook, for `rotation_adaptive`; else empty. */
  statistics: () => readonly NormStatistics[]
  next: (
    answers: readonly Answer[],
    chosen: tf.Tensor1D | null,
    noise: StepNoise,
    trained: readonly Assignment[],
  ) => { assignments: Assignment[]; revived: tf.Scalar | null }
  /** Vectors [n, D] before they are brought into the space of the search. */
  initialise: (vectors: VectorStream, random: Random) => Promise<void>
}

const still: ReturnType<Books['next']> = { assignments: [], revived: null }

/** All grid points of FSQ and LFQ: never trained, but stored, so that an export is complete. */
function gridBooks(config: RunConfig): Books {
  const codes = tf.tidy(() => tf.variable(tf.tensor2d(gridCodes(config)), false))
  return {
    trainable: new Map(),
    state: new Map<string, tf.Variable>([['codebook', codes]]),
    all: () => [codes],
    statistics: () => [],
    next: () => still,
    initialise: () => Promise.resolve(),
  }
}

/**
 * c = c₀Wᵀ with c₀ [K, D] ~ N(0, 1/D) frozen and W [D, D] trained (SimVQ, arXiv 2411.02038). `codebook` keeps what that
 * makes after each step, for those who read the model's files.
 */
function mappedBooks(config: RunConfig, random: Random): Books {
  const { codebookSize, codeDim } = config
  const deviation = 1 / Math.sqrt(codeDim)
  const apply = (codes: tf.Tensor, map: tf.Tensor): tf.Tensor2D => tf.matMul(codes, map, false, true)
  const [frozen, map, codebook] = tf.tidy(() => {
    const codes = normals(codebookSize * codeDim, random).map((x) => x * deviation)
    const weights = Float32Array.from(
      { length: codeDim * codeDim },
      () => (2 * random.uniform() - 1) * deviation,
    )
    const start = tf.tensor2d(codes, [codebookSize, codeDim])
    const linear = tf.tensor2d(weights, [codeDim, codeDim])
    return [tf.variable(start, false), tf.variable(linear), tf.variable(apply(start, linear), false)] as const
  })
  return {
    trainable: new Map<string, tf.Variable>([['quantizer.map', map]]),
    state: new Map<string, tf.Variable>([
      ['quantizer.frozen', frozen],
      ['codebook', codebook],
    ]),
    all: () => [apply(frozen, map)],
    statistics: () => [],
    next: (_, __, ___, trained) => {
      const moved = trained.find(([target]) => target === map)?.[1]
      return { assignments: moved ? [[codebook, apply(frozen, moved)]] : [], revived: null }
    },
    initialise: () => Promise.resolve(),
  }
}

/** One tensor for one codebook, as it is; for several, their stack. */
function join(tensors: readonly tf.Tensor[]): tf.Tensor {
  const [first] = tensors
  return tensors.length === 1 && first ? first : tf.stack([...tensors])
}

/** The tensors of a state by the names of their variables. */
function entries(
  { codebook, counts, sums }: CodebookState,
  statistics?: NormStatistics,
): [string, tf.Tensor][] {
  return [
    ['codebook', codebook],
    ...(counts ? [['ema.counts', counts] as [string, tf.Tensor]] : []),
    ...(sums ? [['ema.sums', sums] as [string, tf.Tensor]] : []),
    ...(statistics
      ? ([
          ['norms.sums', statistics.norms.clone()],
          ['norms.squares', statistics.squares.clone()],
        ] as [string, tf.Tensor][])
      : []),
  ]
}

/** The same names of every codebook, joined. */
function joined(lists: readonly [string, tf.Tensor][][]): [string, tf.Tensor][] {
  return (lists[0] ?? []).map(([name], i) => [
    name,
    join(lists.map((list) => list[i]?.[1] ?? tf.scalar(Number.NaN))),
  ])
}

export function createBooks(config: RunConfig, random: Random): Books {
  if (!hasCodebook(config)) return gridBooks(config)
  if (config.quantizer === 'simvq') return mappedBooks(config, random)
  return storedBooks(config, random)
}

function storedBooks(whole: RunConfig, random: Random): Books {
  const count = bookCount(whole)
  const config = { ...whole, codeDim: bookDim(whole) }
  const adaptive = usesEstimatorNamed(whole, 'rotation_adaptive')
  const trainable = new Map<string, tf.Variable>()
  const state = new Map<string, tf.Variable>()
  const { codebookSize, codeDim } = config
  tf.tidy(() => {
    const starts = Array.from({ length: count }, () => {
      const codes = kaimingCodes(codebookSize, codeDim, random)
      const start = startState(tf.tensor2d(codes, [codebookSize, codeDim]), config)
      const zero = (): tf.Tensor1D => tf.zeros<tf.Rank.R1>([codebookSize])
      return entries(start, adaptive ? { norms: zero(), squares: zero() } : undefined)
    })
    for (const [name, tensor] of joined(starts)) {
      const home = name === 'codebook' && config.codebookUpdate === 'gradient' ? trainable : state
      home.set(name, tf.variable(tensor))
    }
  })
  const variable = (name: string): tf.Variable | undefined => state.get(name) ?? trainable.get(name)
  const split = <T extends tf.Tensor>(tensor: tf.Tensor): T[] =>
    (count === 1 ? [tensor] : tf.unstack(tensor)) as T[]
  const parts = <T extends tf.Tensor>(name: string): T[] => {
    const tensor = variable(name)
    return tensor ? split<T>(tensor) : []
  }
  const assign = (lists: readonly [string, tf.Tensor][][]): Assignment[] =>
    joined(lists).flatMap(([name, next]): Assignment[] => {
      const target = variable(name)
      return target ? [[target, next]] : []
    })

  const books: Books = {
    trainable,
    state,
    all: () => parts<tf.Tensor2D>('codebook'),
    statistics: () => {
      const squares = parts<tf.Tensor1D>('norms.squares')
      return parts<tf.Tensor1D>('norms.sums').flatMap((norms, i) => {
        const square = squares[i]
        return square ? [{ norms, squares: square }] : []
      })
    },
    next: (answers, chosen, noise, trained) => {
      const codebook = variable('codebook')
      const optimised = trained.find(([target]) => target === codebook)?.[1]
      const codebooks = optimised
        ? split<tf.Tensor2D>(optimised).map((codes) => onCodeSpace(codes, config.distance))
        : books.all()
      const [counts, sums] = [parts<tf.Tensor1D>('ema.counts'), parts<tf.Tensor2D>('ema.sums')]
      const dead: tf.Scalar[] = []
      const lists = answers.map(({ searched, indices, statistics }, i) => {
        const [code, n, m] = [codebooks[i], counts[i], sums[i]]
        if (!code) throw new RangeError(`There is no codebook ${i}.`)
        const before: CodebookState = { codebook: code, ...(n && { counts: n }), ...(m && { sums: m }) }
        const moved = updateState(before, searched, indices, config)
        if (!chosen) return entries(moved, statistics)
        dead.push(countDeadCodes(moved, config))
        const from = count === 1 ? chosen : tf.slice(chosen, i * codebookSize, codebookSize)
        // Drawn from the batch's codes instead of its vectors, a code comes up in proportion to its use.
        const vectors = noise.jitter ? tf.gather(moved.codebook, indices) : searched
        const jitter = noise.jitter && tf.slice(noise.jitter, [i * codebookSize, 0], [codebookSize, -1])
        return entries(reviveDeadCodes(moved, vectors, from, config, jitter), statistics)
      })
      return { assignments: assign(lists), revived: chosen ? tf.addN(dead) : null }
    },
    initialise: async (vectors, drawFrom) => {
      if (config.codebookInit === 'kaiming') return
      const codes: tf.Tensor2D[] = []
      /** Of all vectors [n, D] what codebook `i` is asked for, in the space of the search. */
      const asked = (part: tf.Tensor2D, i: number): tf.Tensor2D => {
        if (whole.quantizer === 'grouped')
          return toSearchSpace(tf.split<tf.Tensor2D>(part, count, 1)[i] ?? part, config.distance)
        // The next level of a residual quantizer starts from what the levels before it leave over.
        let left = toSearchSpace(part, config.distance)
        for (const level of codes.slice(0, i)) {
          const rest = tf.sub<tf.Tensor2D>(left, tf.gather(level, nearestCodes(left, level)))
          left = toSearchSpace(rest, config.distance)
        }
        return left
      }
      try {
        for (let i = 0; i < count; i++) {
          const stream = mapped(vectors, (part) => asked(part, i))
          codes.push(
            config.codebookInit === 'kmeans'
              ? await kmeansCodes(stream, config, drawFrom)
              : await dataCodes(stream, codebookSize, drawFrom),
          )
        }
        tf.tidy(() => {
          const lists = codes.map((code) => entries(startState(code, config)))
          for (const [target, next] of assign(lists)) target.assign(next)
        })
      } finally {
        tf.dispose(codes)
      }
    },
  }
  return books
}
