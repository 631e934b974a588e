// Where the window was, kept in a small file of the app. What was read is checked: the file may be damaged,
// and the screen it names may be gone.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

export interface WindowPlace {
  /** Without a position the system chooses one. */
  bounds: { width: number; height: number; x?: number; y?: number }
  maximized: boolean
}

const standard: WindowPlace = { bounds: { width: 1280, height: 860 }, maximized: false }

/** Pixels of a window that must be on some screen for it to be found again. */
const visiblePixels = 100

/** The place to open at, from what was kept (anything) and the work areas of the screens there are. */
export function placeFrom(kept: unknown, screens: readonly Rectangle[]): WindowPlace {
  if (typeof kept !== 'object' || kept === null || !('bounds' in kept)) return standard
  const { bounds } = kept
  if (!isRectangle(bounds)) return standard
  const maximized = 'maximized' in kept && kept.maximized === true
  const size = { width: Math.max(bounds.width, 900), height: Math.max(bounds.height, 600) }
  const visible = screens.some((screen) => overlap(screen, bounds) >= visiblePixels)
  return { bounds: visible ? { ...size, x: bounds.x, y: bounds.y } : size, maximized }
}

/** The shorter side of what two rectangles share. */
function overlap(a: Rectangle, b: Rectangle): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
  return Math.min(width, height)
}

function isRectangle(value: unknown): value is Rectangle {
  if (typeof value !== 'object' || value === null) return false
  const numbers = ['x', 'y', 'width', 'height'].map((key) => (value as Record<string, unknown>)[key])
  return numbers.every((number) => Number.isInteger(number) && Math.abs(Number(number)) < 100_000)
}

/** Synchronous: it is a few bytes, read before the window and written while it closes. */
export function readPlace(file: string, screens: readonly Rectangle[]): WindowPlace {
  try {
    return placeFrom(JSON.parse(readFileSync(file, 'utf8')), screens)
  } catch {
    return standard
  }
}

/** Losing the place is no reason to keep a window from closing: what goes wrong here is ignored. */
export function keepPlace(file: string, place: { bounds: Rectangle; maximized: boolean }): void {
  try {
    const { x, y, width, height } = place.bounds
    const kept = { bounds: { x, y, width, height }, maximized: place.maximized }
    writeFileSync(`${file}.new`, JSON.stringify(kept))
    renameSync(`${file}.new`, file)
  } catch {
    return
  }
}
