// Codes that follow the means of their points, as a codebook trained by EMA does: counts start at one, sums at the
// codes. The same rule as the trainer's, in plain numbers, for the Lab's few codes.

const epsilon = 1e-5

export class CodeAverage {
  private readonly counts: Float64Array
  private readonly sums: Float64Array

  /** Keeps `codes` [K, 2] and writes into them. */
  constructor(
    private readonly codes: Float32Array,
    private readonly decay: number,
  ) {
    this.counts = new Float64Array(codes.length / 2).fill(1)
    this.sums = Float64Array.from(codes)
  }

  /** N ← dN + (1−d)n, m ← dm + (1−d)Σe, q = m/Ñ with Ñ = (N+ε)/(ΣN+Kε)·ΣN. */
  update(points: Float32Array, chosen: Uint16Array): void {
    const { counts, sums, codes, decay } = this
    const fresh = 1 - decay
    for (let k = 0; k < counts.length; k++) counts[k] = (counts[k] ?? 0) * decay
    for (let j = 0; j < sums.length; j++) sums[j] = (sums[j] ?? 0) * decay
    chosen.forEach((code, i) => {
      counts[code] = (counts[code] ?? 0) + fresh
      for (const axis of [0, 1])
        sums[2 * code + axis] = (sums[2 * code + axis] ?? 0) + fresh * (points[2 * i + axis] ?? 0)
    })
    const total = counts.reduce((sum, count) => sum + count, 0)
    for (let j = 0; j < codes.length; j++) {
      const count = counts[Math.floor(j / 2)] ?? 0
      const smoothed = ((count + epsilon) / (total + counts.length * epsilon)) * total
      codes[j] = (sums[j] ?? 0) / smoothed
    }
  }
}
