// What passes the estimator at one step, for the diagnostics: encoder outputs e, codes q, the gradient g that comes
// back and the gradient ∇e that goes on. Looks on only: the step computes the same with and without it.
import * as tf from '@tensorflow/tfjs-core'
import { angleBins, countInBins, lengthBins, ratioBins } from '#shared/histogram'
import { withGradient } from '#shared/quantize/custom-gradient'

/** Histograms by the bins of `#shared/histogram`. Vectors without a direction are in no histogram that needs one. */
export interface Diagnostics {
  /** N, the vectors looked at. */
  vectors: number
  /** ‖q‖/‖e‖ */
  lambda: number[]
  /** ∠(e, q) in degrees. */
  angle: number[]
  /** ‖e‖ */
  encoderLength: number[]
  /** ‖q‖ */
  codeLength: number[]
  /** Share of the angles above 90°; null where no vector has one. */
  obtuse: number | null
  /** Mean of cos∠(∇e, g) over vectors with both; null where no vector has them. */
  gradientCosine: number | null
}

/** Numbers of each vector, [N]: squared lengths of e and q, e·q, and ∇e, g likewise but for their scale. */
export interface RowProducts {
  ee: ArrayLike<number>
  qq: ArrayLike<number>
  eq: ArrayLike<number>
  hh: ArrayLike<number>
  gg: ArrayLike<number>
  hg: ArrayLike<number>
}

const longestInterval = 200

/**
 * Whether diagnostics are taken at a step, counted from 1: with every tenth record, at least every 200 steps, and at
 * steps 1, 2, 4, 8, … before, where most happens. By the step alone, so that stops change nothing.
 */
export function diagnosticsDue(step: number, recordInterval: number): boolean {
  const interval = Math.min(longestInterval, 10 * recordInterval)
  return step % interval === 0 || (step < interval && Number.isInteger(Math.log2(step)))
}

/** x as it is; on the way back `listen` hears the gradient, which goes on as it is. */
function overheard(x: tf.Tensor2D, listen: (gradient: tf.Tensor2D) => void): tf.Tensor2D {
  return withGradient<tf.Tensor2D>(
    [x],
    () => x.clone(),
    (g) => {
      listen(g)
      return [g.clone()]
    },
  )
}

/** a/max|a|, so that squares of the smallest gradients do not vanish in float32. */
function scaled(a: tf.Tensor2D): tf.Tensor2D {
  return tf.div(a, tf.maximum(tf.max(tf.abs(a)), 1e-37))
}

type Part = 'e' | 'q' | 'g' | 'h'

/** Listens at both ends of the estimator during one step. Then `take` or `dispose`. */
export class GradientProbe {
  readonly #held = new Map<Part, tf.Tensor2D>()
  readonly #deaf: boolean

  /**
   * A deaf one takes the same paths and keeps nothing: gradients then add up in the same order whether somebody listens
   * or not, and looking changes no bit.
   */
  constructor({ deaf = false } = {}) {
    this.#deaf = deaf
  }

  /** Encoder outputs [N, D] in the space of the search, on their way into the estimator and nowhere else. */
  input(e: tf.Tensor2D): tf.Tensor2D {
    this.#hold('e', e)
    return overheard(e, (gradient) => this.#hold('h', gradient))
  }

  /** The estimator's output [N, D], and what was chosen for e [N, D]: the code, or the sum of several. */
  output(output: tf.Tensor2D, q: tf.Tensor2D): tf.Tensor2D {
    this.#hold('q', q)
    return overheard(output, (gradient) => this.#hold('g', gradient))
  }

  /** Products of each vector, [6, N], for `diagnosticsFrom`. Null where the estimator was not passed in both directions. */
  products(): tf.Tensor2D | null {
    const [e, q, g, h] = (['e', 'q', 'g', 'h'] as const).map((part) => this.#held.get(part))
    return e && q && g && h ? rowProducts(e, q, g, h) : null
  }

  /** The figures; frees what was held. Null as `products` is. */
  take(): Diagnostics | null {
    const products = this.products()
    const figures = products && diagnosticsFrom(products.dataSync<'float32'>())
    products?.dispose()
    this.dispose()
    return figures
  }

  dispose(): void {
    for (const tensor of this.#held.values()) tensor.dispose()
    this.#held.clear()
  }

  /** A clone shares the values, so holding costs nothing. */
  #hold(part: Part, tensor: tf.Tensor2D): void {
    if (this.#deaf) return
    this.#held.get(part)?.dispose()
    this.#held.set(part, tf.keep(tensor.clone()))
  }
}

/** [6, N]: ee, qq, eq, hh, gg, hg. */
function rowProducts(e: tf.Tensor2D, q: tf.Tensor2D, g: tf.Tensor2D, h: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const [gs, hs] = [scaled(g), scaled(h)]
    const pairs: [tf.Tensor2D, tf.Tensor2D][] = [
      [e, e],
      [q, q],
      [e, q],
      [hs, hs],
      [gs, gs],
      [hs, gs],
    ]
    return tf.stack(pairs.map(([a, b]) => tf.sum(tf.mul(a, b), 1))) as tf.Tensor2D // [6, N]
  })
}

/** The figures of what `GradientProbe.products` holds, row by row. */
export function diagnosticsFrom(products: Float32Array): Diagnostics {
  const count = products.length / 6
  const row = (i: number): Float32Array => products.subarray(i * count, (i + 1) * count)
  return diagnosticsOf({ ee: row(0), qq: row(1), eq: row(2), hh: row(3), gg: row(4), hg: row(5) })
}

const cosine = (dot: number, aa: number, bb: number): number =>
  aa > 0 && bb > 0 ? Math.max(-1, Math.min(1, dot / Math.sqrt(aa * bb))) : Number.NaN

/** Mean of the finite values; null without any. */
function meanOf(values: Float64Array): number | null {
  let [sum, count] = [0, 0]
  for (const value of values) {
    if (!Number.isFinite(value)) continue
    sum += value
    count++
  }
  return count > 0 ? sum / count : null
}

/** Histograms and means from the products of each vector, in double precision. */
export function diagnosticsOf({ ee, qq, eq, hh, gg, hg }: RowProducts): Diagnostics {
  const vectors = ee.length
  const each = (value: (i: number) => number): Float64Array =>
    Float64Array.from({ length: vectors }, (_, i) => value(i))
  const at = (values: ArrayLike<number>, i: number): number => values[i] ?? Number.NaN
  const lambdas = each((i) => (at(ee, i) > 0 ? Math.sqrt(at(qq, i) / at(ee, i)) : Number.NaN))
  const cosines = each((i) => cosine(at(eq, i), at(ee, i), at(qq, i)))
  return {
    vectors,
    lambda: countInBins(lambdas, ratioBins),
    angle: countInBins(
      cosines.map((value) => (Math.acos(value) * 180) / Math.PI),
      angleBins,
    ),
    encoderLength: countInBins(
      each((i) => Math.sqrt(at(ee, i))),
      lengthBins,
    ),
    codeLength: countInBins(
      each((i) => Math.sqrt(at(qq, i))),
      lengthBins,
    ),
    obtuse: meanOf(cosines.map((value) => (Number.isNaN(value) ? value : Number(value < 0)))),
    gradientCosine: meanOf(each((i) => cosine(at(hg, i), at(hh, i), at(gg, i)))),
  }
}
