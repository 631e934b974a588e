// Numbers as words for people: counts, sizes, durations, dates. Pure; every number carries its unit.
const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** `5,000` */
export function count(value: number): string {
  return grouped.format(value)
}

/** `1 image`, `5,000 images` */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** What a perplexity says: `as if 12 codes were used equally`. */
export function equalCodes(perplexity: number): string {
  const codes = Math.round(perplexity)
  return codes === 1 ? 'as if one code did all the work' : `as if ${count(codes)} codes were used equally`
}

/** `1.3 GB`; powers of 1,000, as file managers show them. */
export function bytes(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = sizeBytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}

/** Roughly how long, in one or two units: `8 s`, `14 min`, `2 h 5 min`, `3 days`. */
export function duration(durationMs: number): string {
  const seconds = durationMs / 1000
  if (seconds < 0.95) return `${Math.max(1, Math.round(durationMs))} ms`
  if (seconds < 90) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  if (minutes < 48 * 60) {
    const rest = minutes % 60
    return rest === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${rest} min`
  }
  return `${Math.round(minutes / 1440)} days`
}

/** A countdown: `0:08`, `12:41`, `1:02:30`. */
export function clock(durationMs: number): string {
  const total = Math.max(0, Math.round(durationMs / 1000))
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = Math.floor(total / 3600)
  const minutes = Math.floor((total % 3600) / 60)
  const tail = `${hours > 0 ? two(minutes) : minutes}:${two(total % 60)}`
  return hours > 0 ? `${hours}:${tail}` : tail
}

/** A measured value with three significant digits: `0.0172`, `23.7`, `402`, `1.2e-7`. */
export function measure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(1)
  if (size >= 1000) return count(value)
  return String(Number(value.toPrecision(3)))
}

/** A fraction as `76 %`, with a decimal below ten. */
export function percent(fraction: number): string {
  const value = fraction * 100
  return `${value !== 0 && Math.abs(value) < 9.95 ? value.toFixed(1) : Math.round(value)} %`
}

/** `24 Nov, 14:05`; with the year when it is another one. */
export function dateTime(iso: string, now = new Date()): string {
  const date = new Date(iso)
  const sameYear = date.getFullYear() === now.getFullYear()
  return new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
  }).format(date)
}

/** Reads what a person types: `5,000`, `5 000`, `3e-4`, `.5`; null when it is no number. */
export function parseNumber(text: string): number | null {
  const plain = text.replace(/[\s\u00a0\u2009_]/g, '').replace(/,(?=\d{3}(\D|$))/g, '')
  if (plain === '' || !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return null
  return Number(plain)
}

/** The inverse of `parseNumber`: exact, grouped from 10,000 on, small numbers as 3e-4. */
export function showNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) >= 10_000) return count(value)
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential().replace('e-0', 'e-')
  return String(value)
}
