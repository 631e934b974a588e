// Frames of a scroll in Chromium's own trace: what its compositor drew while a gesture went on. Pure.

interface TraceEvent {
  name: string
  ph: string
  /** µs */
  ts: number
  args?: { frame_reporter?: { state?: string; affects_smoothness?: boolean; has_missing_content?: boolean } }
}

/** What `browser.startTracing` must be asked to record. */
export const traceCategories = [
  'cc',
  'benchmark',
  'input',
  'latencyInfo',
  'devtools.timeline.frame',
  'disabled-by-default-devtools.timeline.frame',
]

export interface ScrollFrames {
  seconds: number
  framesPerSecond: number
  /** Between one frame and the next. */
  medianMs: number
  p95Ms: number
  longestMs: number
  /** Frames that were due and left out so that it shows, in the compositor's own judgement. */
  dropped: number
  /** Frames with a part of the page not painted yet. */
  unpainted: number
}

/** Throws where the trace holds no scroll or no frame during it. */
export function scrollFrames(trace: string): ScrollFrames {
  const { traceEvents } = JSON.parse(trace) as { traceEvents: TraceEvent[] }
  const gesture = traceEvents.filter(
    ({ name, ph }) => name === 'InputLatency::GestureScrollUpdate' && ph === 'b',
  )
  const from = Math.min(...gesture.map(({ ts }) => ts))
  const to = Math.max(...gesture.map(({ ts }) => ts))
  const during = traceEvents.filter(({ ts }) => ts >= from && ts <= to)
  const frames = during
    .filter(({ name, ph }) => name === 'DrawFrame' && (ph === 'I' || ph === 'X'))
    .map(({ ts }) => ts)
    .sort((a, b) => a - b)
  if (frames.length < 2) throw new Error('The trace holds no frames of a scroll.')
  const gaps = frames
    .slice(1)
    .map((ts, i) => (ts - (frames[i] ?? 0)) / 1000)
    .sort((a, b) => a - b)
  const reports = during.flatMap(({ name, ph, args }) =>
    name === 'PipelineReporter' && ph === 'b' && args?.frame_reporter ? [args.frame_reporter] : [],
  )
  const seconds = (to - from) / 1e6
  const at = (share: number): number => gaps[Math.floor(share * gaps.length)] ?? Number.NaN
  return {
    seconds,
    framesPerSecond: frames.length / seconds,
    medianMs: at(0.5),
    p95Ms: at(0.95),
    longestMs: gaps.at(-1) ?? Number.NaN,
    dropped: reports.filter((one) => one.state === 'STATE_DROPPED' && one.affects_smoothness).length,
    unpainted: reports.filter((one) => one.has_missing_content).length,
  }
}
