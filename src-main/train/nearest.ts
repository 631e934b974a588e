// The n nearest samples of every code, gathered in one pass over the images with memory for K × n entries only.
// A binary heap per code, all in three typed arrays; the farthest kept sample is on top.

export interface NearestArrays {
  /** Kept samples per code, `[K]`. */
  counts: Int32Array
  /** `[K, n]`, ascending within a code; unused places hold infinity. */
  distances: Float32Array
  /** Which image and token, `[K, n]`; unused places hold −1. */
  images: Int32Array
  tokens: Int32Array
}

/** Keeps the `n` nearest samples per code. Equal distances keep the sample that was added first. */
export class NearestSamples {
  readonly #n: number
  readonly #sizes: Int32Array
  readonly #distances: Float32Array
  readonly #images: Int32Array
  readonly #tokens: Int32Array

  constructor(codebookSize: number, n: number) {
    this.#n = n
    this.#sizes = new Int32Array(codebookSize)
    this.#distances = new Float32Array(codebookSize * n).fill(Number.POSITIVE_INFINITY)
    this.#images = new Int32Array(codebookSize * n).fill(-1)
    this.#tokens = new Int32Array(codebookSize * n).fill(-1)
  }

  /** Images must come in ascending order, and tokens within an image too. */
  add(code: number, distance: number, image: number, token: number): void {
    const base = code * this.#n
    const size = this.#sizes[code] ?? 0
    if (size < this.#n) {
      this.#set(base + size, Math.fround(distance), image, token)
      this.#sizes[code] = size + 1
      this.#rise(base, size)
    } else if (Math.fround(distance) < (this.#distances[base] ?? 0)) {
      this.#set(base, Math.fround(distance), image, token)
      this.#sink(base, 0, size)
    }
  }

  /** Sorts in place and hands the arrays out; nothing can be added afterwards. */
  finish(): NearestArrays {
    for (let code = 0; code < this.#sizes.length; code++) {
      const base = code * this.#n
      // Heap sort: the farthest goes to the end, again and again.
      for (let size = (this.#sizes[code] ?? 0) - 1; size > 0; size--) {
        this.#swap(base, base + size)
        this.#sink(base, 0, size)
      }
    }
    return { counts: this.#sizes, distances: this.#distances, images: this.#images, tokens: this.#tokens }
  }

  #set(at: number, distance: number, image: number, token: number): void {
    this.#distances[at] = distance
    this.#images[at] = image
    this.#tokens[at] = token
  }

  #swap(a: number, b: number): void {
    const distance = this.#distances[a] ?? 0
    const image = this.#images[a] ?? 0
    const token = this.#tokens[a] ?? 0
    this.#set(a, this.#distances[b] ?? 0, this.#images[b] ?? 0, this.#tokens[b] ?? 0)
    this.#set(b, distance, image, token)
  }

  /** Farther, or as far and later. */
  #after(a: number, b: number): boolean {
    const distance = (this.#distances[a] ?? 0) - (this.#distances[b] ?? 0)
    if (distance !== 0) return distance > 0
    const image = (this.#images[a] ?? 0) - (this.#images[b] ?? 0)
    return image !== 0 ? image > 0 : (this.#tokens[a] ?? 0) > (this.#tokens[b] ?? 0)
  }

  #rise(base: number, start: number): void {
    let at = start
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#after(base + at, base + parent)) return
      this.#swap(base + at, base + parent)
      at = parent
    }
  }

  #sink(base: number, start: number, size: number): void {
    let at = start
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) return
      if (child + 1 < size && this.#after(base + child + 1, base + child)) child++
      if (!this.#after(base + child, base + at)) return
      this.#swap(base + at, base + child)
      at = child
    }
  }
}
