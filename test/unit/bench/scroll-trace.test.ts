// The reader of scroll traces, on a trace whose frames are counted by hand.
import { expect, it } from 'vitest'
import { scrollFrames } from '../../bench/scroll-trace'

const scroll = (ts: number) => ({ name: 'InputLatency::GestureScrollUpdate', ph: 'b', ts })
const frame = (ts: number) => ({ name: 'DrawFrame', ph: 'I', ts })
const report = (ts: number, frame_reporter: Record<string, unknown>) => ({
  name: 'PipelineReporter',
  ph: 'b',
  ts,
  args: { frame_reporter },
})

it('counts what was drawn during the gesture, and nothing before or after', () => {
  const traceEvents = [
    frame(10),
    scroll(1000),
    ...[2000, 12_000, 22_000, 52_000, 62_000].map(frame),
    report(3000, { state: 'STATE_DROPPED', affects_smoothness: true }),
    report(4000, { state: 'STATE_DROPPED', affects_smoothness: false }),
    report(5000, { state: 'STATE_PRESENTED_ALL', has_missing_content: true }),
    scroll(101_000),
    frame(200_000),
    report(300_000, { state: 'STATE_DROPPED', affects_smoothness: true }),
  ]
  expect(scrollFrames(JSON.stringify({ traceEvents }))).toEqual({
    seconds: 0.1,
    framesPerSecond: 50,
    medianMs: 10,
    p95Ms: 30,
    longestMs: 30,
    dropped: 1,
    unpainted: 1,
  })
  expect(() => scrollFrames(JSON.stringify({ traceEvents: [frame(1)] }))).toThrow('no frames')
})
