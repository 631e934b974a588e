// One picture for all tiles of a row: a canvas a row scrolls far more lightly than a canvas a code. Pure arithmetic on
// pixels; knows no canvas and no Vue.

/** Measures of a tile in CSS pixels; the styles of `CodeRow.vue` follow them. */
export const tile = { width: 68, height: 88, inset: 4, picture: 60 } as const

export interface RowTile {
  /** RGB, `size`×`size`; undefined while it is on its way. */
  pixels: Uint8Array | undefined
  /** Drawn faintly, without colour. */
  faint: boolean
}

export interface RowPicture {
  width: number
  height: number
  /** RGBA. */
  data: Uint8ClampedArray<ArrayBuffer>
}

const faintAlpha = 102

/** One RGBA pixel as the number that a little-endian machine stores it as; there are no others with a browser. */
function packed(rgb: Uint8Array, at: number, faint: boolean): number {
  const [red, green, blue] = [rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0]
  if (!faint) return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0
  const grey = Math.round(0.2126 * red + 0.7152 * green + 0.0722 * blue)
  return ((faintAlpha << 24) | (grey << 16) | (grey << 8) | grey) >>> 0
}

/**
 * The tiles of `size`×`size` pixels side by side, each enlarged to its place without smoothing; `ratio` device pixels make
 * a CSS pixel. Transparent between tiles and where one is missing.
 */
export function rowPicture(tiles: readonly RowTile[], size: number, ratio: number): RowPicture {
  const width = Math.max(1, Math.round(tiles.length * tile.width * ratio))
  const height = Math.max(1, Math.round(tile.picture * ratio))
  const pixels = new Uint32Array(width * height)
  const places = tiles.map((_, column) => {
    const left = column * tile.width + tile.inset
    return { from: Math.round(left * ratio), to: Math.round((left + tile.picture) * ratio) }
  })
  let drawn = -1
  for (let y = 0; y < height; y++) {
    const line = y * width
    const row = Math.floor(((y + 0.5) * size) / height)
    // Lines that show the same row of every tile are copies.
    if (row === drawn) {
      pixels.copyWithin(line, line - width, line)
      continue
    }
    drawn = row
    for (const [column, { from, to }] of places.entries()) {
      const { pixels: rgb, faint } = tiles[column] ?? { pixels: undefined, faint: false }
      if (!rgb) continue
      for (let x = from; x < to; x++) {
        const at = Math.floor(((x - from + 0.5) * size) / (to - from))
        pixels[line + x] = packed(rgb, 3 * (row * size + at), faint)
      }
    }
  }
  return { width, height, data: new Uint8ClampedArray(pixels.buffer) }
}
