// How a new run gets its first weights beyond the seeded ones: codes from data, or the weights of another run.
import { bookCount, hasCodebook, type RunConfig } from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import { createBatchSource } from '#main/data/batches'
import type { PackReader } from '#main/data/pack-reader'
import { startPasses, type Random, type VqModel } from '#main/model/index'
import { readTensors } from './checkpoint'
import { encodingsOf } from './encodings'
import { assignTensor } from './tensors'

/** k-means wants some vectors for each code, but a search through all codes for every one of them takes its time. */
const vectorsPerCode = 32
const mostVectors = 1_048_576

export interface StartOptions {
  /** Images gone through so far, and in all, over every pass. */
  onProgress?: ((done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
}

/** How many of the first batches the codebook starts from: at most every image once. */
function startBatches(config: RunConfig, perBatch: number, perEpoch: number): number {
  if (config.codebookInit !== 'kmeans') return 1
  const wanted = Math.min(config.codebookSize * vectorsPerCode, mostVectors)
  return Math.max(1, Math.min(Math.ceil(wanted / perBatch), perEpoch))
}

/**
 * Starts the codebook from the first batches, where the configuration asks for it. Takes no batch from training. Throws
 * the signal's reason when it is cancelled; the codebook is then as it was.
 */
export async function startCodebook(
  {
    model,
    pack,
    splits,
    config,
    random,
  }: {
    model: VqModel
    pack: PackReader
    splits: { train: Int32Array }
    config: RunConfig
    random: Random
  },
  { onProgress, signal }: StartOptions = {},
): Promise<void> {
  if (config.codebookInit === 'kaiming' || !hasCodebook(config)) return
  const source = createBatchSource(pack, splits.train, config)
  const perBatch = config.batchSize * model.tokens[0] * model.tokens[1]
  const batches = startBatches(config, perBatch, source.stepsPerEpoch)
  const total = batches * config.batchSize * startPasses(config.codebookInit) * bookCount(config)
  try {
    const encodings = encodingsOf(model, source, {
      batches,
      onProgress: (done) => onProgress?.(done, total),
      ...(signal && { signal }),
    })
    await model.initialiseCodebook(encodings, random)
  } finally {
    await source.close()
  }
}

/** Gives the model the weights of a checkpoint's folder. Throws `invalid-input` when the networks differ. */
export async function takeWeights(model: VqModel, folder: string): Promise<void> {
  const tensors = await readTensors(folder, 'model')
  const codebook = tensors.get('codebook')
  for (const [name, variable] of [...model.trainable, ...model.state]) {
    // The other run may have trained its codebook in another way: running means then start as they do for new codes.
    if ((name === 'ema.counts' || name.startsWith('norms.')) && !tensors.has(name)) continue
    const tensor = tensors.get(name) ?? (name === 'ema.sums' ? codebook : undefined)
    if (tensor?.shape.join() !== variable.shape.join())
      throw new GyreError(
        'invalid-input',
        `The other run’s network is another one: “${name}” does not fit.`,
        'Start from a run with the same network, image size and codebook.',
      )
    assignTensor(variable, name, tensor)
  }
}
