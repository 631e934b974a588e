// Image bytes to what a model takes in. Pure; the one place that says how 0…255 becomes [−1, 1].

/** A table gives the same float32 everywhere and is fast. */
const fromByte = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1)

/** The value in [−1, 1] of a byte. */
export function scaledByte(byte: number): number {
  return fromByte[byte] ?? 0
}

/** Pixels of whole images → their values in [−1, 1]. */
export function scaledPixels(pixels: Uint8Array): Float32Array {
  const values = new Float32Array(pixels.length)
  for (let i = 0; i < pixels.length; i++) values[i] = fromByte[pixels[i] ?? 0] ?? 0
  return values
}
