// The learning rate of every step. Pure.
import type { RunConfig } from '#shared/config/schema'

export type ScheduleConfig = Pick<
  RunConfig,
  'learningRate' | 'finalLearningRate' | 'warmupSteps' | 'schedule' | 'steps'
>

/**
 * The rate for step `step`, counted from 1: up in a line over the warm-up, then by the schedule to the final rate,
 * which the last step has. Beyond the last step it stays there.
 */
export function learningRateAt(config: ScheduleConfig, step: number): number {
  const { learningRate, finalLearningRate, warmupSteps, schedule, steps } = config
  if (step < warmupSteps) return (learningRate * step) / warmupSteps
  if (schedule === 'constant') return learningRate
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps))
  const remaining = schedule === 'linear' ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2
  return finalLearningRate + (learningRate - finalLearningRate) * remaining
}
