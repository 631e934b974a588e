// The metrics of docs/metrics.md as arithmetic on plain arrays. Knows no tensors and no files.
import type { ValidationMetrics } from '#shared/contract/common'

/** Images in a window of `usagePer256`. */
export const usageWindowImages = 256

export interface CodeStatistics {
  used: number
  /** Distinct codes / K. */
  usage: number
  /** exp of the entropy (nats) of the counts; 0 when nothing was counted. */
  perplexity: number
}

/** Usage and perplexity of code counts `[K]`. */
export function codeStatistics(counts: ArrayLike<number>): CodeStatistics {
  let used = 0
  let total = 0
  for (let code = 0; code < counts.length; code++) {
    const count = counts[code] ?? 0
    total += count
    if (count > 0) used++
  }
  let entropy = 0
  for (let code = 0; code < counts.length; code++) {
    const share = (counts[code] ?? 0) / total
    if (share > 0) entropy -= share * Math.log(share)
  }
  return { used, usage: used / counts.length, perplexity: total === 0 ? 0 : Math.exp(entropy) }
}

/** 10·log10(4 / mse) for images in [−1, 1]; a perfect reconstruction is stated as 200 dB, because JSON has no infinity. */
export function psnr(mse: number): number {
  return mse > 4e-20 ? 10 * Math.log10(4 / mse) : 200
}

/**
 * Distinct codes / K over consecutive windows of `windowImages` images, averaged over the complete windows;
 * over everything where there is no complete one.
 */
export class WindowedUsage {
  readonly #seen: Uint8Array
  readonly #codebookSize: number
  readonly #windowImages: number
  #distinct = 0
  #images = 0
  #sum = 0
  #windows = 0

  constructor(codebookSize: number, windowImages = usageWindowImages) {
    this.#codebookSize = codebookSize
    this.#windowImages = windowImages
    this.#seen = new Uint8Array(codebookSize)
  }

  /** Indices of whole images, `[N, tokens]` flattened. */
  add(indices: ArrayLike<number>, images: number): void {
    const tokens = indices.length / images
    for (let image = 0; image < images; image++) {
      for (let at = image * tokens; at < (image + 1) * tokens; at++) {
        const code = indices[at] ?? 0
        if (this.#seen[code] === 0) {
          this.#seen[code] = 1
          this.#distinct++
        }
      }
      if (++this.#images === this.#windowImages) this.#close()
    }
  }

  #close(): void {
    this.#sum += this.#distinct / this.#codebookSize
    this.#windows++
    this.#seen.fill(0)
    this.#distinct = 0
    this.#images = 0
  }

  get value(): number {
    return this.#windows > 0 ? this.#sum / this.#windows : this.#distinct / this.#codebookSize
  }
}

/** Adds codes to counts `[K]`. */
export function countCodes(counts: Float64Array, indices: ArrayLike<number>): void {
  for (let at = 0; at < indices.length; at++) {
    const code = indices[at] ?? 0
    counts[code] = (counts[code] ?? 0) + 1
  }
}

/** Gathers a split batch by batch and states its metrics. */
export class EvaluationSums {
  readonly counts: Float64Array
  readonly #window: WindowedUsage
  readonly #options: { codeDim: number; commitmentWeight: number }
  #images = 0
  #vectors = 0
  #mse = 0
  #error = 0
  #bookError = 0

  constructor(options: { codebookSize: number; codeDim: number; commitmentWeight: number }) {
    this.#options = options
    this.counts = new Float64Array(options.codebookSize)
    this.#window = new WindowedUsage(options.codebookSize)
  }

  /**
   * `mse` and `error` are the batch's means: over pixels and channels, and over vectors of the sum over D. `bookError`
   * adds up what every codebook was off by; with one codebook that is `error`. One code number per vector and codebook.
   */
  add(batch: {
    images: number
    indices: ArrayLike<number>
    mse: number
    error: number
    bookError?: number
  }): void {
    this.#images += batch.images
    this.#vectors += batch.indices.length
    this.#mse += batch.mse * batch.images
    this.#error += batch.error * batch.indices.length
    this.#bookError += (batch.bookError ?? batch.error) * batch.indices.length
    countCodes(this.counts, batch.indices)
    this.#window.add(batch.indices, batch.images)
  }

  finish(): ValidationMetrics {
    const mse = this.#mse / this.#images
    const quantizationError = this.#error / this.#vectors
    const bookError = this.#bookError / this.#vectors
    const { usage, perplexity } = codeStatistics(this.counts)
    return {
      mse,
      psnr: psnr(mse),
      usage,
      usagePer256: this.#window.value,
      perplexity,
      quantizationError,
      // The same differences, as a mean over D and times β.
      commitmentLoss: (this.#options.commitmentWeight * bookError) / this.#options.codeDim,
      images: this.#images,
    }
  }
}
