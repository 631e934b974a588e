// From numbers to SVG: scales, paths, panel grids. Pure. One path for many marks keeps pictures quick.
import type { Vector } from './plane'

/** Pixels of a square panel that shows [−halfWidth, halfWidth]², y upwards. */
export interface PanelScale {
  size: number
  halfWidth: number
}

export function toPixels({ size, halfWidth }: PanelScale, at: Vector): Vector {
  return { x: (at.x / halfWidth + 1) * (size / 2), y: (1 - at.y / halfWidth) * (size / 2) }
}

export function fromPixels({ size, halfWidth }: PanelScale, at: Vector): Vector {
  return { x: ((2 * at.x) / size - 1) * halfWidth, y: (1 - (2 * at.y) / size) * halfWidth }
}

const short = (value: number): string => String(Math.round(value * 10) / 10)
const pair = ({ x, y }: Vector): string => `${short(x)} ${short(y)}`

/** Dots as zero-length strokes: give the path round caps. */
export function dotsPath(scale: PanelScale, rows: Float32Array): string {
  let path = ''
  for (let i = 0; i < rows.length; i += 2)
    path += `M${pair(toPixels(scale, { x: rows[i] ?? 0, y: rows[i + 1] ?? 0 }))}h0`
  return path
}

/** Closed polygons. */
export function polygonsPath(scale: PanelScale, polygons: readonly (readonly Vector[])[]): string {
  return polygons
    .filter((polygon) => polygon.length > 2)
    .map((polygon) => `M${polygon.map((corner) => pair(toPixels(scale, corner))).join('L')}Z`)
    .join('')
}

/** Small crosses, for codes. */
export function crossesPath(scale: PanelScale, rows: Float32Array, arm = 4): string {
  let path = ''
  for (let i = 0; i < rows.length; i += 2) {
    const { x, y } = toPixels(scale, { x: rows[i] ?? 0, y: rows[i + 1] ?? 0 })
    path += `M${pair({ x: x - arm, y })}h${2 * arm}M${pair({ x, y: y - arm })}v${2 * arm}`
  }
  return path
}

/** An arrow in pixels, with an open head that is never longer than a third of it. */
export function arrowPath(from: Vector, to: Vector, head = 8): string {
  const dx = to.x - from.x
  const dy = to.y - from.y
  const length = Math.hypot(dx, dy)
  if (!(length > 0.5)) return ''
  const size = Math.min(head, length / 2.5)
  const wing = (turn: number): Vector => ({
    x: to.x - (size * (dx * Math.cos(turn) - dy * Math.sin(turn))) / length,
    y: to.y - (size * (dx * Math.sin(turn) + dy * Math.cos(turn))) / length,
  })
  return `M${pair(from)}L${pair(to)}M${pair(wing(0.45))}L${pair(to)}L${pair(wing(-0.45))}`
}

/** The shorter arc between two directions around a place, in pixels. */
export function arcPath(centre: Vector, from: Vector, to: Vector, radius: number): string {
  const angle = (v: Vector): number => Math.atan2(v.y, v.x)
  const at = (direction: number): Vector => ({
    x: centre.x + radius * Math.cos(direction),
    y: centre.y - radius * Math.sin(direction),
  })
  const turn = Math.atan2(from.x * to.y - from.y * to.x, from.x * to.x + from.y * to.y)
  if (!Number.isFinite(turn) || Math.abs(turn) < 0.01) return ''
  const sweep = turn > 0 ? 0 : 1
  return `M${pair(at(angle(from)))}A${radius} ${radius} 0 0 ${sweep} ${pair(at(angle(to)))}`
}

/** How square panels fill a width and a height best. */
export interface PanelGrid {
  columns: number
  rows: number
  size: number
}

export const panelGap = 12
/** Room for the two lines of words above each panel. */
export const panelHead = 38

/** Panels smaller than this are hard to read; rather the page scrolls. */
const smallest = 235

export function panelGrid(count: number, width: number, height: number, largest = 560): PanelGrid {
  let best: PanelGrid = { columns: 1, rows: count, size: 0 }
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns)
    const across = (width - panelGap * (columns - 1)) / columns
    const down = (height - panelGap * (rows - 1)) / rows - panelHead
    const size = Math.floor(Math.min(across, Math.max(down, smallest), largest))
    if (size >= best.size) best = { columns, rows, size }
  }
  return best
}

/** Height of the drawing of a grid of panels. */
export function gridHeight({ rows, size }: PanelGrid): number {
  return Math.max(0, rows * (size + panelHead + panelGap) - panelGap)
}

/** Width of the drawing of a grid of panels. */
export function gridWidth({ columns, size }: PanelGrid): number {
  return Math.max(0, columns * (size + panelGap) - panelGap)
}

/** Where panel `index` of a grid begins. */
export function panelPlace({ columns, size }: PanelGrid, index: number): Vector {
  return {
    x: (index % columns) * (size + panelGap),
    y: Math.floor(index / columns) * (size + panelHead + panelGap),
  }
}

/** Round numbers from 0 to at least `high`, about five. */
export function ticksTo(high: number): number[] {
  if (!(high > 0) || !Number.isFinite(high)) return [0, 1]
  const rough = high / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power
  const count = Math.ceil(high / step - 1e-9)
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)))
}
