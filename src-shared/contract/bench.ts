// What a measurement of training steps is asked for and says. Times are wall times in milliseconds.
import { z } from 'zod'

/** `usual`: as a run takes them. The others by name; on an engine that lacks one, asking for it is `unsupported`. */
export const stepKind = z.enum(['usual', 'eager', 'compiled', 'compiledBf16'])
export type StepKind = z.infer<typeof stepKind>

export const timedSteps = z.object({
  /** Of each step, in order, with the wait for its images. */
  stepMs: z.array(z.number()),
  /** Of each step: how long it waited for its images. */
  waitMs: z.array(z.number()),
  /** Of the last step. */
  loss: z.number(),
  /** The most memory that the process of the trainer has held so far. */
  peakRssBytes: z.number(),
})
export type TimedSteps = z.infer<typeof timedSteps>

/** `gyre bench step`: medians. */
export const stepBench = z.object({
  eagerMs: z.number(),
  /** null where the engine has no such steps: `reasons` says why. */
  compiledMs: z.number().nullable(),
  compiledBf16Ms: z.number().nullable(),
  /** Of a run's usual steps: the share of their time that is a wait for images. */
  dataWaitFraction: z.number(),
  /** Of a process that takes a run's usual steps and nothing else. */
  peakRssBytes: z.number(),
  /** By the name of a figure that is null. */
  reasons: z.record(z.string(), z.string()),
})
export type StepBench = z.infer<typeof stepBench>
