// What the primary button says: exactly what will happen. Pure.
import { duration, plural } from '../../format'

/** `Train 5,000 steps (about 14 min)`; without a measured speed the time is left out. */
export function trainLabel(steps: number, secondsPerStep: number | null | undefined): string {
  const time = secondsPerStep == null ? '' : ` (about ${duration(secondsPerStep * steps * 1000)})`
  return `Train ${plural(steps, 'step')}${time}`
}
