// A curve as the points of a small SVG line, on a logarithmic scale. Pure.

/** `x,y x,y …` within width × height, or an empty string when there is too little to draw. */
export function sparklinePoints(values: readonly number[], width: number, height: number): string {
  const logs = values.filter((value) => Number.isFinite(value) && value > 0).map(Math.log)
  if (logs.length < 2) return ''
  const low = Math.min(...logs)
  const span = Math.max(...logs) - low || 1
  return logs
    .map((value, index) => {
      const x = (index / (logs.length - 1)) * width
      const y = height - 1 - ((value - low) / span) * (height - 2)
      return `${x.toFixed(1)},${y.toFixed(1)}`
    })
    .join(' ')
}
