// The fixed validation split: by a hash of each file's name, so that it is the same for every run and every
// machine, and adding files moves as few of the others as the share allows.
import { createHash } from 'node:crypto'

/** First 48 bits of the name's SHA-256: as many as fit a number exactly. */
function rankOf(file: string): number {
  return createHash('sha256').update(file, 'utf8').digest().readUIntBE(0, 6)
}

/** Images for validation: the rounded share, at least one when a share is asked for, never all. */
export function validationCount(count: number, fraction: number): number {
  if (fraction <= 0 || count < 2) return 0
  return Math.min(count - 1, Math.max(1, Math.round(count * fraction)))
}

/**
 * Splits positions 0…n−1 of `files` into training and validation, each ascending: the files with the lowest ranks
 * are for validation.
 * @param files paths relative to the source folder, with `/`
 */
export function splitIndices(
  files: readonly string[],
  validationFraction: number,
): { train: Int32Array; validation: Int32Array } {
  const ranks = Float64Array.from(files, rankOf)
  const order = Array.from(files, (_, i) => i)
  order.sort((a, b) => (ranks[a] ?? 0) - (ranks[b] ?? 0) || ((files[a] ?? '') < (files[b] ?? '') ? -1 : 1))
  const count = validationCount(files.length, validationFraction)
  return {
    train: Int32Array.from(order.slice(count)).sort(),
    validation: Int32Array.from(order.slice(0, count)).sort(),
  }
}
