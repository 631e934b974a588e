// Names of the engines for people, and sentences about them. Pure.
import { engineIds, type EngineWish } from '#shared/contract/common'
import type { EngineBenchmark, EngineStatus } from '#shared/contract/engines'
import type { EngineUsed } from '#shared/contract/files'
import { engineNames } from '#shared/engine-names'
import { bytes, count, dateTime, measure, percent } from '../../format'
import type { GlossaryKey } from '../../glossary'

export const engineName = (id: EngineWish): string => (id === 'auto' ? 'Best available' : engineNames[id])

/** Why new runs use this engine, or why they do not. */
export function whyWords(engine: EngineStatus, chosen: EngineUsed | null, wish: EngineWish): string {
  const { id, available, reason } = engine
  if (!available || !chosen) return reason
  if (chosen.id === id)
    return wish === 'auto' ? `${reason} The best of those that run here.` : `${reason} You chose it.`
  if (wish !== 'auto') return `${reason} You chose another engine.`
  // Better ones that are passed over say why in their reason; a software adapter is right, and for who asks for it.
  const isBetter = engineIds.findIndex((one) => one === id) < engineIds.findIndex((one) => one === chosen.id)
  return isBetter
    ? `${reason} New runs use it only when it is chosen by name.`
    : `${reason} New runs use ${chosen.name}, which comes first.`
}

/** What is on disk: `853 MB on disk`, `Part of Gyre`; empty where nothing is. */
export function diskWords({ installed, removable, diskBytes }: EngineStatus): string {
  if (removable) return `${bytes(diskBytes)} on disk`
  return installed ? 'Part of Gyre' : ''
}

/** What setting an engine up takes. */
export function installWords({ downloadBytes, diskBytes }: EngineStatus): string[] {
  return [
    `${bytes(downloadBytes)} are downloaded, from the package index that pip on this computer is set up for. Each file is checked.`,
    `Installed, it takes ${bytes(diskBytes)} on disk; while it is being set up, ${bytes(downloadBytes + diskBytes)}.`,
  ]
}

export interface BenchmarkRow {
  name: string
  /** What explains it. */
  term: GlossaryKey
  /** null where the engine takes no such steps. */
  ms: string | null
  imagesPerSecond: string
  /** Why there is none. */
  reason: string
}

/** The three kinds of step, each with its time and the images that pass in a second. */
export function benchmarkRows({ steps, batchSize }: EngineBenchmark): BenchmarkRow[] {
  const row = (name: string, term: GlossaryKey, ms: number | null, reason = ''): BenchmarkRow => ({
    name,
    term,
    ms: ms === null ? null : `${measure(ms)} ms`,
    imagesPerSecond: ms === null ? '' : measure((1000 * batchSize) / ms),
    reason,
  })
  return [
    row('Eager', 'eager', steps.eagerMs),
    row('Compiled', 'compiled', steps.compiledMs, steps.reasons['compiledMs']),
    row('Compiled, bfloat16', 'bfloat16', steps.compiledBf16Ms, steps.reasons['compiledBf16Ms']),
  ]
}

/** What a run of these settings takes besides time. */
export function benchmarkCosts({ steps }: EngineBenchmark): string {
  const { peakRssBytes, dataWaitFraction } = steps
  return `At most ${bytes(peakRssBytes)} of memory; ${percent(dataWaitFraction)} of a run’s time waiting for images.`
}

/** When and where it was measured. */
export function benchmarkWords({
  measuredAt,
  machine,
  engine,
  batchSize,
  imageSize,
}: EngineBenchmark): string {
  const { processor, threads } = machine
  const what = `“Quick look”: ${count(batchSize)} images of ${imageSize} px a step`
  return `${what}. Measured ${dateTime(measuredAt)} with version ${engine.version} on ${processor || 'this processor'}, ${threads} threads.`
}
