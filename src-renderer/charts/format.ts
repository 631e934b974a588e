// Numbers and times as people read them. Pure; always the same separators, so that tests and tables agree.

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** 1240 → `1,240`. */
export function formatCount(value: number): string {
  return whole.format(value)
}

/** Three significant digits: 0.01716 → `0.0172`, 402.3 → `402`, 0.0000213 → `2.13e-5`. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return '–'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1000) return formatCount(value)
  if (size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, 'e')
  return value.toPrecision(3)
}

/** Tick labels: as short as the number allows. */
export function formatTick(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential().replace('e+', 'e')
  return String(Number(value.toPrecision(6)))
}

/** 0.763 → `76.3 %`. */
export function formatPercent(fraction: number): string {
  if (!Number.isFinite(fraction)) return '–'
  const percent = fraction * 100
  return `${percent !== 0 && Math.abs(percent) < 10 ? percent.toPrecision(2) : percent.toFixed(1)} %`
}

/** 761_000 → `12:41`; from one hour on `1 h 12 min`; from one day on `2 d 3 h`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000))
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  const hours = Math.round(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** 1_572_864 → `1.5 MB`. */
export function formatBytes(sizeBytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = sizeBytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 99.5 ? value.toFixed(0) : value.toPrecision(2)} ${units[unit] ?? ''}`
}
