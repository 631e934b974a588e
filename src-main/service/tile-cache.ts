// Decoded looks of codes, kept in memory up to a size: the codebook browser asks for the same ones while scrolling.

interface Tiles {
  size: number
  pixels: Uint8Array
}

const maxBytes = 64 * 1024 * 1024

export class TileCache {
  /** Oldest first. */
  readonly #tiles = new Map<string, Uint8Array>()
  readonly #sizes = new Map<string, number>()
  #bytes = 0

  /** RGB tiles of these codes of a model, in order; `decode` is asked for those that are not known. */
  async get(
    model: string,
    indices: readonly number[],
    decode: (missing: number[]) => Promise<Tiles>,
  ): Promise<Tiles> {
    const unique = [...new Set(indices)]
    const missing = unique.filter((index) => !this.#tiles.has(`${model}.${index}`))
    const found = new Map<number, Uint8Array>()
    for (const index of unique) {
      const tile = this.#tiles.get(`${model}.${index}`)
      if (tile) found.set(index, tile)
    }
    if (missing.length > 0 || !this.#sizes.has(model)) {
      const { size, pixels } = await decode(missing)
      this.#sizes.set(model, size)
      const bytes = size * size * 3
      for (const [i, index] of missing.entries()) {
        const tile = pixels.slice(i * bytes, (i + 1) * bytes)
        found.set(index, tile)
        this.#keep(`${model}.${index}`, tile)
      }
    }
    const size = this.#sizes.get(model) ?? 0
    const out = new Uint8Array(indices.length * size * size * 3)
    for (const [i, index] of indices.entries()) {
      const tile = found.get(index)
      if (tile) out.set(tile, i * tile.length)
    }
    return { size, pixels: out }
  }

  #keep(key: string, tile: Uint8Array): void {
    this.#tiles.set(key, tile)
    this.#bytes += tile.length
    for (const [old, { length }] of this.#tiles) {
      if (this.#bytes <= maxBytes) return
      this.#tiles.delete(old)
      this.#bytes -= length
    }
  }
}
