// How long a training step took on this machine, by what decides it. Only ever measured figures: an unknown shape
// has no estimate. The file is a cache; when two processes write at once, one measurement is lost and no harm done.
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { RunConfig } from '#shared/config/index'
import { atomicWriteJson } from '#main/data/atomic'

const measuredFile = z.record(z.string(), z.number().positive())
const maxEntries = 500

/** The fields that decide the time of a step, as a key. */
export function stepShape(config: RunConfig, engineId: string): string {
  const { imageSize, channelsIn, batchSize, network, channels, channelMultipliers, residualBlocks } = config
  const { attention, codebookSize, codeDim, estimator, codebookUpdate, distance, optimizer, precision } =
    config
  const { quantizer, quantizerDepth, groups, latentDim } = config
  const plain = quantizer === 'vq' && latentDim === 0
  return JSON.stringify([
    engineId,
    ...[imageSize, channelsIn, batchSize, network, channels, channelMultipliers.join(), residualBlocks],
    ...[attention.join(), codebookSize, codeDim, estimator, codebookUpdate, distance, optimizer, precision],
    ...(plain ? [] : [quantizer, quantizerDepth, groups, latentDim]),
  ])
}

export class StepTimes {
  constructor(private readonly file: string) {}

  async secondsPerStep(config: RunConfig, engineId: string): Promise<number | null> {
    return (await this.#read())[stepShape(config, engineId)] ?? null
  }

  async remember(config: RunConfig, engineId: string, secondsPerStep: number): Promise<void> {
    if (!Number.isFinite(secondsPerStep) || secondsPerStep <= 0) return
    const key = stepShape(config, engineId)
    const entries = Object.entries(await this.#read()).filter(([known]) => known !== key)
    const kept = entries.slice(Math.max(0, entries.length - maxEntries + 1))
    await atomicWriteJson(this.file, Object.fromEntries([...kept, [key, secondsPerStep]]))
  }

  async #read(): Promise<Record<string, number>> {
    try {
      return measuredFile.parse(JSON.parse(await readFile(this.file, 'utf8')))
    } catch {
      return {}
    }
  }
}
