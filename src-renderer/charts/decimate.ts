// Fewer points to draw, without hiding extremes: each bucket keeps its smallest and its largest value, so a
// noisy curve becomes its min/max band instead of a lucky sample. Pure.

export interface Points {
  x: number[]
  y: number[]
}

/**
 * At most about `2 × buckets` points of the curve (x ascending). Points whose y is not finite are dropped.
 * The first and the last point are always kept.
 */
export function decimate(x: ArrayLike<number>, y: ArrayLike<number>, buckets: number): Points {
  const finite: number[] = []
  for (let i = 0; i < y.length; i++) {
    if (Number.isFinite(y[i]) && Number.isFinite(x[i])) finite.push(i)
  }
  if (finite.length <= 2 * buckets) return pick(x, y, finite)
  const at = (position: number): number => y[finite[position] ?? 0] ?? 0
  const kept = [0]
  const inner = finite.length - 2
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = 1 + Math.floor((bucket * inner) / buckets)
    const to = 1 + Math.floor(((bucket + 1) * inner) / buckets)
    let low = from
    let high = from
    for (let i = from; i < to; i++) {
      if (at(i) < at(low)) low = i
      if (at(i) > at(high)) high = i
    }
    if (low === high) kept.push(low)
    else kept.push(Math.min(low, high), Math.max(low, high))
  }
  kept.push(finite.length - 1)
  return pick(
    x,
    y,
    kept.map((position) => finite[position] ?? 0),
  )
}

function pick(x: ArrayLike<number>, y: ArrayLike<number>, indices: readonly number[]): Points {
  return { x: indices.map((i) => x[i] ?? 0), y: indices.map((i) => y[i] ?? 0) }
}
