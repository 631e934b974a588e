// What the primary button says: exactly what will happen. Pure.
import { duration, plural } from '../../format'

/** `Train 5,000 steps (about 14 min)`; without a measured speed the time is left out; behind another run it queues. */
export function trainLabel(
  steps: number,
  secondsPerStep: number | null | undefined,
  behindAnother = false,
): string {
  const time = secondsPerStep == null ? '' : ` (about ${duration(secondsPerStep * steps * 1000)})`
  return `${behindAnother ? 'Queue' : 'Train'} ${plural(steps, 'step')}${time}`
}
