// Which evaluation step the sample strip shows: the newest, until the person goes back; the last one again
// means "follow". Pure.

export interface Scrub {
  /** Index into the steps. */
  index: number
  /** Moves along when a newer step appears. */
  following: boolean
}

/** After new steps came in: followers move to the newest, others stay on their step. */
export function keepUp(scrub: Scrub, before: readonly number[], after: readonly number[]): Scrub {
  const newest = Math.max(0, after.length - 1)
  if (scrub.following) return { index: newest, following: true }
  const step = before[scrub.index]
  const same = step === undefined ? -1 : after.indexOf(step)
  return same === -1 ? { index: newest, following: true } : { index: same, following: same === newest }
}

/** After the person moved to an index. */
export function moveTo(index: number, steps: readonly number[]): Scrub {
  const newest = Math.max(0, steps.length - 1)
  const inside = Math.min(Math.max(0, index), newest)
  return { index: inside, following: inside === newest }
}
