// Fetches what codes decode to, in batches, for the tiles that are on screen; the rest is never asked for. Keeps
// the pixels within a budget. Knows no canvas and no Vue.

export interface TileBatch {
  /** Width and height of a tile in pixels. */
  size: number
  /** RGB, `size`×`size` a code, in the order asked. */
  pixels: Uint8Array
}

export interface TileLoaderOptions {
  fetch: (codes: number[]) => Promise<TileBatch>
  /** Called after each batch, with the codes that came. */
  onTiles: (codes: readonly number[]) => void
  onError: (error: unknown) => void
  batch?: number
  budgetBytes?: number
}

export class TileLoader {
  /** Width and height of a tile; 0 until the first came. */
  size = 0
  private readonly tiles = new Map<number, Uint8Array>()
  private wanted: readonly number[] = []
  private busy = false
  private stopped = false

  constructor(private readonly options: TileLoaderOptions) {}

  /** RGB pixels of a code if they are here. */
  get(code: number): Uint8Array | undefined {
    return this.tiles.get(code)
  }

  /** Says which codes are on screen now; what was wanted before and not yet asked for is forgotten. */
  want(codes: readonly number[]): void {
    this.wanted = codes
    if (!this.busy) void this.run()
  }

  /** Nothing is reported any more. */
  stop(): void {
    this.stopped = true
    this.tiles.clear()
  }

  private async run(): Promise<void> {
    this.busy = true
    try {
      for (;;) {
        const missing = this.wanted
          .filter((code) => !this.tiles.has(code))
          .slice(0, this.options.batch ?? 128)
        if (missing.length === 0 || this.isStopped()) return
        const { size, pixels } = await this.options.fetch(missing)
        if (this.isStopped()) return
        this.keep(missing, size, pixels)
        this.options.onTiles(missing)
      }
    } catch (error) {
      // What failed is not asked again until the view changes.
      this.wanted = []
      if (!this.isStopped()) this.options.onError(error)
    } finally {
      this.busy = false
    }
  }

  // A function, because the compiler does not see that `stop` runs during an await.
  private isStopped(): boolean {
    return this.stopped
  }

  private keep(codes: readonly number[], size: number, pixels: Uint8Array): void {
    const bytes = size * size * 3
    if (pixels.length < bytes * codes.length)
      throw new Error('The answer holds fewer tiles than were asked for.')
    this.size = size
    // A copy per tile, so that dropping one frees its memory.
    for (const [i, code] of codes.entries()) this.tiles.set(code, pixels.slice(i * bytes, (i + 1) * bytes))
    const most = Math.max(codes.length, Math.floor((this.options.budgetBytes ?? 64e6) / Math.max(1, bytes)))
    const onScreen = new Set(this.wanted)
    for (const code of this.tiles.keys()) {
      if (this.tiles.size <= most) break
      if (!onScreen.has(code)) this.tiles.delete(code)
    }
  }
}

/** RGB to the RGBA that a canvas takes. */
export function toImageData(rgb: Uint8Array, size: number): ImageData {
  const image = new ImageData(size, size)
  for (let pixel = 0; pixel < size * size; pixel++) {
    image.data[4 * pixel] = rgb[3 * pixel] ?? 0
    image.data[4 * pixel + 1] = rgb[3 * pixel + 1] ?? 0
    image.data[4 * pixel + 2] = rgb[3 * pixel + 2] ?? 0
    image.data[4 * pixel + 3] = 255
  }
  return image
}
