// The codebook's own state and how it moves: start, running means (EMA), and revival of codes that nobody uses.
// Every function is pure: it takes tensors and returns the next ones, which the caller assigns.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { normaliseRows } from '#shared/quantize/normalise'
import type { Random } from '../random'

export type CodebookConfig = Pick<
  RunConfig,
  'codebookSize' | 'codeDim' | 'distance' | 'codebookUpdate' | 'emaDecay' | 'deadCodeThreshold'
>

export interface CodebookState {
  /** [K, D] */
  codebook: tf.Tensor2D
  /** [K] running uses N per batch; absent where nothing needs it. */
  counts?: tf.Tensor1D
  /** [K, D] running sums m; only with EMA. */
  sums?: tf.Tensor2D
}

const smoothing = 1e-5

/** Codes on the unit sphere for cosine, as they are otherwise. */
export function onCodeSpace(codes: tf.Tensor2D, distance: RunConfig['distance']): tf.Tensor2D {
  return distance === 'cosine' ? normaliseRows(codes) : codes
}

/**
 * Kaiming-uniform as vector-quantize-pytorch draws it, on a tensor [1, K, D]: fan_in is K·D, so the bound is
 * √(6/(K·D)). Row by row.
 */
export function kaimingCodes(codebookSize: number, codeDim: number, random: Random): Float32Array {
  const bound = Math.sqrt(6 / (codebookSize * codeDim))
  return Float32Array.from({ length: codebookSize * codeDim }, () => (2 * random.uniform() - 1) * bound)
}

/** N = 1 and m = codebook (starting at zero would be badly wrong: codes would jump). */
export function startState(codes: tf.Tensor2D, config: CodebookConfig): CodebookState {
  const codebook = onCodeSpace(codes, config.distance)
  const ema = config.codebookUpdate === 'ema'
  return {
    codebook,
    ...((ema || config.deadCodeThreshold > 0) && { counts: tf.ones<tf.Rank.R1>([config.codebookSize]) }),
    ...(ema && { sums: codebook.clone() }),
  }
}

/** How often each of K codes is in `indices`, as float32 [K]. */
export function countCodes(indices: tf.Tensor1D, codebookSize: number): tf.Tensor1D {
  return tf.unsortedSegmentSum(tf.ones([indices.size]), indices, codebookSize)
}

/**
 * N ← dN + (1−d)n, m ← dm + (1−d)Σz, code = m/Ñ with Ñ = (N+ε)/(ΣN+Kε)·ΣN. For cosine, codes return to the unit
 * sphere. vectors [N, D] are in the space of the search. With a gradient-trained codebook only N moves.
 */
export function updateState(
  state: CodebookState,
  vectors: tf.Tensor2D,
  indices: tf.Tensor1D,
  config: CodebookConfig,
): CodebookState {
  if (!state.counts) return state
  const { emaDecay: decay, codebookSize } = config
  const used = countCodes(indices, codebookSize)
  const counts = tf.add<tf.Tensor1D>(tf.mul(state.counts, decay), tf.mul(used, 1 - decay))
  if (!state.sums) return { codebook: state.codebook, counts }
  const batchSums = tf.unsortedSegmentSum(vectors, indices, codebookSize)
  const sums = tf.add<tf.Tensor2D>(tf.mul(state.sums, decay), tf.mul(batchSums, 1 - decay))
  const total = tf.sum(counts)
  const smoothed = tf.mul(tf.add(counts, smoothing), tf.div(total, tf.add(total, codebookSize * smoothing)))
  const codes = tf.div<tf.Tensor2D>(sums, tf.expandDims(smoothed, 1))
  return { codebook: onCodeSpace(codes, config.distance), counts, sums }
}

/** How many codes `reviveDeadCodes` would move. */
export function countDeadCodes({ counts }: CodebookState, config: CodebookConfig): tf.Scalar {
  return counts ? tf.sum(tf.less(counts, config.deadCodeThreshold)) : tf.scalar(0)
}

/** How far a revived code lands from the code it is a copy of, as a share of its length. */
const jitterShare = 0.01

/** codes [K, D] moved by standard normal `jitter` [K, D], to about a hundredth of their length. */
function jittered(codes: tf.Tensor2D, jitter: tf.Tensor2D, config: CodebookConfig): tf.Tensor2D {
  const length = tf.norm(codes, 'euclidean', 1, true) // [K, 1]
  const step = tf.mul(length, jitterShare / Math.sqrt(config.codeDim))
  return onCodeSpace(tf.add(codes, tf.mul(jitter, step)), config.distance)
}

/**
 * Moves every code whose running use is below the threshold onto one of `vectors` [N, D]: those of the batch, or the
 * codes that they chose, then with `jitter` [K, D]. `chosen` int32 [K] names, for each code, the vector that would
 * replace it. A revived code starts with the threshold as its running use.
 */
export function reviveDeadCodes(
  state: CodebookState,
  vectors: tf.Tensor2D,
  chosen: tf.Tensor1D,
  config: CodebookConfig,
  jitter?: tf.Tensor2D,
): CodebookState {
  const threshold = config.deadCodeThreshold
  if (threshold === 0 || !state.counts) return state
  const dead = tf.less(state.counts, threshold) // [K]
  const deadRows = tf.expandDims(dead, 1) // [K, 1]
  const copies = tf.gather(vectors, chosen) // [K, D]
  const replacements = jitter ? jittered(copies, jitter, config) : copies
  return {
    codebook: tf.where(deadRows, replacements, state.codebook),
    counts: tf.where(dead, tf.fill([config.codebookSize], threshold), state.counts),
    ...(state.sums && { sums: tf.where(deadRows, tf.mul(replacements, threshold), state.sums) }),
  }
}
