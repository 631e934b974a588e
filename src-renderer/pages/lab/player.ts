// A simulation on the page: its frames so far, the one shown, and a clock that asks the worker for more. Knows
// nothing of what is simulated or how it is drawn.
import { computed, onBeforeUnmount, ref, shallowRef, watch, type ComputedRef } from 'vue'
import type { LabClient } from './lab-client'
import type { Frame, SimulationSpec } from './worker/protocol'

/** Steps of one request at most: the picture must keep moving. */
const mostAtOnce = 8

export interface PlayerOptions {
  lab: LabClient
  spec: ComputedRef<SimulationSpec>
  length: ComputedRef<number>
  stepsPerSecond: ComputedRef<number>
  fail: (error: unknown) => void
}

export function usePlayer({ lab, spec, length, stepsPerSecond, fail }: PlayerOptions) {
  const frames = shallowRef<readonly Frame[]>([])
  const at = ref(0)
  const playing = ref(false)
  /** Steps a second that were reached while playing last; null before. */
  const reached = ref<number | null>(null)
  /** Milliseconds the worker took for a step. */
  const stepMs = ref<number | null>(null)
  /** Counts restarts, so that answers for an earlier simulation are dropped. */
  let generation = 0
  let busy = false
  let request = 0

  const frame = computed(() => frames.value[at.value] ?? null)
  const done = computed(() => frames.value.length > length.value)

  async function restart(): Promise<void> {
    const own = ++generation
    pause()
    try {
      const first = await lab.start(spec.value)
      if (own !== generation) return
      frames.value = [first]
      at.value = 0
    } catch (error) {
      fail(error)
    }
  }

  /** Shows the next `count` steps, computing those that are not there yet. */
  async function advance(count: number): Promise<void> {
    const target = Math.min(at.value + count, length.value)
    const missing = target - (frames.value.length - 1)
    if (missing > 0) {
      if (busy || frames.value.length === 0) return
      busy = true
      const own = generation
      try {
        const { frames: more, tookMs } = await lab.step(missing)
        if (own !== generation) return
        stepMs.value = tookMs / missing
        frames.value = [...frames.value, ...more]
      } catch (error) {
        pause()
        fail(error)
        return
      } finally {
        busy = false
      }
    }
    at.value = target
  }

  function play(): void {
    if (playing.value) return
    if (at.value >= length.value) at.value = 0
    playing.value = true
    const begun = performance.now()
    const from = at.value
    let begunAt = begun
    let fromStep = from
    const tick = (now: number): void => {
      if (!playing.value) return
      const due = Math.floor(((now - begunAt) * stepsPerSecond.value) / 1000) - (at.value - fromStep)
      if (due > 0 && !busy) {
        void advance(Math.min(due, mostAtOnce))
        // A slow machine plays slower instead of jumping.
        if (due > mostAtOnce) {
          begunAt = now
          fromStep = at.value + mostAtOnce
        }
      }
      if (now > begun + 250) reached.value = ((at.value - from) * 1000) / (now - begun)
      if (at.value >= length.value) playing.value = false
      else request = requestAnimationFrame(tick)
    }
    request = requestAnimationFrame(tick)
  }

  function pause(): void {
    playing.value = false
    cancelAnimationFrame(request)
  }

  /** Shows a step, computing up to it if needed. */
  async function seek(step: number): Promise<void> {
    pause()
    if (step < frames.value.length) at.value = step
    else await advance(step - at.value)
  }

  watch(spec, () => void restart(), { immediate: true })
  onBeforeUnmount(() => {
    generation++
    pause()
  })

  return { frames, frame, at, playing, done, reached, stepMs, play, pause, seek, restart, advance }
}
