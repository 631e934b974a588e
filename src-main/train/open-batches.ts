// Where the batches of a run are prepared: in a thread of their own where the built one is there, else in this one.
import type { RunConfig } from '#shared/config/index'
import { createBatchSource, type BatchSource } from '#main/data/batches'
import type { PackReader } from '#main/data/pack-reader'
import { createSharedBatches } from '#main/data/shared-batches'

export interface BatchesOptions {
  /** The built thread, dist/main/batches.js. */
  batchesEntry?: string | URL | undefined
}

/** `packed` is the folder of `pack`; `trainIndices` are positions in it. */
export function openBatches(
  {
    packed,
    pack,
    trainIndices,
    config,
  }: { packed: string; pack: PackReader; trainIndices: Int32Array; config: RunConfig },
  { batchesEntry }: BatchesOptions,
): BatchSource {
  if (batchesEntry === undefined) return createBatchSource(pack, trainIndices, config)
  const { batchSize, sampling, seed, flip, randomCrop } = config
  const { imageSize, channels } = pack.info
  return createSharedBatches({
    ...{ entry: batchesEntry, folder: packed, imageSize, channels, trainIndices },
    options: { batchSize, sampling, seed, flip, randomCrop },
  })
}
