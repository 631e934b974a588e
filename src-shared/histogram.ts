// Histograms with fixed bins, so that those of different moments and runs can be laid side by side: their edges,
// counting, adding up, quantiles. Pure.

export interface Bins {
  /** Edges of equal bins, ascending: one more than there are bins. On a log scale they are quarter octaves. */
  edges: readonly number[]
  log: boolean
}

function quarterOctaves(from: number, to: number): Bins {
  return { edges: Array.from({ length: 4 * (to - from) + 1 }, (_, i) => 2 ** (from + i / 4)), log: true }
}

/** 64 quarter octaves, 1/256 … 256: λ = ‖q‖/‖e‖. */
export const ratioBins: Bins = quarterOctaves(-8, 8)
/** 80 quarter octaves, 1/4096 … 256: ‖e‖ and ‖q‖. */
export const lengthBins: Bins = quarterOctaves(-12, 8)
/** 36 bins of 5°. */
export const angleBins: Bins = { edges: Array.from({ length: 37 }, (_, i) => 5 * i), log: false }

/** The bin of a number; what lies beyond the ends counts in the first or last bin. -1 for NaN. */
function binOf(value: number, { edges, log }: Bins): number {
  const [first = 0, last = 1] = [edges[0], edges.at(-1)]
  const count = edges.length - 1
  if (Number.isNaN(value)) return -1
  if (value <= first) return 0
  if (value >= last) return count - 1
  const share = log ? Math.log(value / first) / Math.log(last / first) : (value - first) / (last - first)
  const guess = Math.min(count - 1, Math.floor(share * count))
  // Rounding may put a number that lies on an edge one bin off.
  if (value < (edges[guess] ?? 0)) return guess - 1
  return value >= (edges[guess + 1] ?? Infinity) ? guess + 1 : guess
}

/** How many of the values lie in each bin (lower edge included). NaN is left out. */
export function countInBins(values: ArrayLike<number>, bins: Bins): number[] {
  const counts = new Array<number>(bins.edges.length - 1).fill(0)
  for (let i = 0; i < values.length; i++) {
    const bin = binOf(values[i] ?? Number.NaN, bins)
    if (bin >= 0) counts[bin] = (counts[bin] ?? 0) + 1
  }
  return counts
}

export function totalOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Bin by bin. */
export function addCounts(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + (b[i] ?? 0))
}

/** The value below which a share of the counts lies, even within its bin; NaN where nothing was counted. */
export function quantile(counts: readonly number[], { edges, log }: Bins, share: number): number {
  const wanted = totalOf(counts) * share
  let below = 0
  for (const [bin, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const [low = 0, high = 0] = [edges[bin], edges[bin + 1]]
      const part = (wanted - below) / count
      return log ? low * (high / low) ** part : low + (high - low) * part
    }
    below += count
  }
  return Number.NaN
}
