// Indices of a file against ours: they may differ only where two codes are equally near. Where they do, what follows in
// that row can't agree and is left out of the errors.
import { isTie, unit } from './compare'
import type { Matrix } from './files'

export interface ComparedIndices {
  equal: boolean
  /** Rows in which a tie was broken the other way. */
  tied: Set<number>
}

/**
 * `found` [B][N] and `expected` [N][B] for vectors [N, D] and B codebooks: one, or the levels of a residual quantizer,
 * each of which is asked for what the expected codes before it leave over.
 */
export function compareIndices(
  found: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
  vectors: Matrix,
  books: readonly Matrix[],
  distance: 'euclidean' | 'cosine',
): ComparedIndices {
  const result: ComparedIndices = { equal: found.length === books.length, tied: new Set() }
  for (const [row, indices] of expected.entries()) {
    if (indices.length !== books.length) result.equal = false
    let left = distance === 'cosine' ? unit(vectors[row] ?? []) : (vectors[row] ?? [])
    for (const [level, book] of books.entries()) {
      const [mine, theirs] = [found[level]?.[row] ?? -1, indices[level] ?? -1]
      if (mine !== theirs) {
        if (isTie(mine, theirs, left, book)) result.tied.add(row)
        else result.equal = false
        break
      }
      left = left.map((value, i) => value - (book[theirs]?.[i] ?? NaN))
    }
  }
  return result
}
