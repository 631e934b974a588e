// Rules of a true logarithmic axis: data is drawn at log10(value), ticks are round numbers of the data's own
// unit. Values of zero or less have no place on it and are left out (the page says so). Pure.

/** log10 of a value; NaN where a log axis cannot show it. */
export function toLog(value: number): number {
  return value > 0 && Number.isFinite(value) ? Math.log10(value) : Number.NaN
}

export interface LogScale {
  /** Ends of the axis, in log10. */
  min: number
  max: number
  /** Ticks, in log10, ascending. */
  ticks: number[]
}

/**
 * Axis for positive values between `low` and `high`: ends on the nearest 1-2-5 numbers outside, a tick at
 * each power of ten, and at 2 and 5 as well where the range is under two decades.
 */
export function logScale(low: number, high: number): LogScale {
  if (!(low > 0) || !(high >= low) || !Number.isFinite(high)) return { min: -1, max: 0, ticks: [-1, 0] }
  const steps = [1, 2, 5]
  const grid: number[] = []
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    for (const step of steps) grid.push(step * 10 ** power)
  }
  const slack = 1 + 1e-9
  let from = grid.findLastIndex((value) => value <= low * slack)
  let to = grid.findIndex((value) => value >= high / slack)
  if (from === to) {
    from -= 1
    to += 1
  }
  const inside = grid.slice(from, to + 1)
  const decades = Math.log10(high / low)
  const wanted = decades > 2 ? inside.filter((value) => isPower(value)) : inside
  const every = Math.ceil(wanted.length / 8)
  return {
    min: Math.log10(inside[0] ?? low),
    max: Math.log10(inside.at(-1) ?? high),
    ticks: wanted.filter((_, index) => index % every === 0).map((value) => Math.log10(value)),
  }
}

function isPower(value: number): boolean {
  const log = Math.log10(value)
  return Math.abs(log - Math.round(log)) < 1e-9
}

/** Tick label of any axis: as short as the number allows. */
export function formatTick(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential().replace('e+', 'e')
  return String(Number(value.toPrecision(6)))
}
