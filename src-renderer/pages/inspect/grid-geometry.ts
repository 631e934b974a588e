// Arithmetic of a virtual grid with tiles of one size: what to draw for a scroll position, and where the
// arrow keys lead. Pure.

export interface GridGeometry {
  columns: number
  rows: number
  /** Height of all rows together, in CSS pixels. */
  height: number
}

/** As many columns as fit, at least one. */
export function layoutGrid(
  count: number,
  width: number,
  tileWidth: number,
  tileHeight: number,
): GridGeometry {
  const columns = Math.max(1, Math.floor(width / tileWidth))
  const rows = Math.ceil(count / columns)
  return { columns, rows, height: rows * tileHeight }
}

/** Half-open range of rows to draw, with `overscan` rows on each side. */
export function visibleRows(
  scrollTop: number,
  viewHeight: number,
  tileHeight: number,
  rows: number,
  overscan = 2,
): { from: number; to: number } {
  const from = Math.max(0, Math.floor(scrollTop / tileHeight) - overscan)
  const to = Math.min(rows, Math.ceil((scrollTop + viewHeight) / tileHeight) + overscan)
  return { from: Math.min(from, to), to }
}

/** Position after a key; null where the key does not move. The ends of the grid stop, they do not wrap. */
export function moveInGrid(
  key: string,
  position: number,
  count: number,
  columns: number,
  rowsPerPage: number,
): number | null {
  const moves: Record<string, number> = {
    ArrowLeft: position - 1,
    ArrowRight: position + 1,
    ArrowUp: position - columns,
    ArrowDown: position + columns,
    PageUp: position - columns * rowsPerPage,
    PageDown: position + columns * rowsPerPage,
    Home: 0,
    End: count - 1,
  }
  const wanted = moves[key]
  if (wanted === undefined || count === 0) return null
  const jumps = key === 'ArrowUp' || key === 'ArrowDown'
  if (jumps && (wanted < 0 || wanted >= count)) return position
  return Math.min(Math.max(wanted, 0), count - 1)
}

/** Scroll position that brings a row wholly into view, moving as little as possible. */
export function scrollToRow(row: number, scrollTop: number, viewHeight: number, tileHeight: number): number {
  const top = row * tileHeight
  if (top < scrollTop) return top
  const bottom = top + tileHeight
  return bottom > scrollTop + viewHeight ? bottom - viewHeight : scrollTop
}
