// Augmentation of one image: shift with edge fill, and mirror; on the way its bytes become values in [−1, 1]. Pure;
// randomness is the caller's.
import { scaledByte } from './scale'

export interface Augmentation {
  /** Pixels that the content moves to the right and down; negative for left and up. */
  shiftX: number
  shiftY: number
  /** Mirror left to right, after the shift. */
  mirror: boolean
}

/**
 * Writes the augmented `source` [size, size, channels] to `target`, scaled. What a shift uncovers repeats the nearest
 * edge.
 */
export function augment(
  source: Uint8Array,
  target: Float32Array,
  size: number,
  channels: number,
  { shiftX, shiftY, mirror }: Augmentation,
): void {
  const last = size - 1
  const columns = new Int32Array(size) // byte offset in a source row of each target column
  for (let x = 0; x < size; x++) {
    const from = (mirror ? last - x : x) - shiftX
    columns[x] = Math.min(last, Math.max(0, from)) * channels
  }
  let at = 0
  for (let y = 0; y < size; y++) {
    const row = Math.min(last, Math.max(0, y - shiftY)) * size * channels
    for (let x = 0; x < size; x++) {
      const from = row + (columns[x] ?? 0)
      for (let c = 0; c < channels; c++) target[at++] = scaledByte(source[from + c] ?? 0)
    }
  }
}

/** The images of one batch, one after the other: `pixels` and `values` hold [N, S, S, C], `changes` one for each image. */
export function augmentAll(
  pixels: Uint8Array,
  values: Float32Array,
  size: number,
  channels: number,
  changes: readonly Augmentation[],
): void {
  const length = size * size * channels
  for (const [n, change] of changes.entries()) {
    const [from, to] = [n * length, (n + 1) * length]
    augment(pixels.subarray(from, to), values.subarray(from, to), size, channels, change)
  }
}
