// How long a run still takes, from the pace of its last records. Pure.

/**
 * Milliseconds left, or null while it cannot be said. The pace is that of the last `windowRows` records, in
 * trained time: steps and evaluations count, pauses do not.
 */
export function remainingMs(
  step: ArrayLike<number>,
  trainedMs: ArrayLike<number>,
  totalSteps: number,
  windowRows = 50,
): number | null {
  const last = step.length - 1
  const lastStep = step[last]
  const lastMs = trainedMs[last]
  if (lastStep === undefined || lastMs === undefined) return null
  if (lastStep >= totalSteps) return 0
  const first = Math.max(0, last - windowRows)
  // A single record still tells the pace since the start.
  const fromStep = first === last ? 0 : (step[first] ?? 0)
  const fromMs = first === last ? 0 : (trainedMs[first] ?? 0)
  if (lastStep <= fromStep || lastMs <= fromMs) return null
  return ((totalSteps - lastStep) * (lastMs - fromMs)) / (lastStep - fromStep)
}
