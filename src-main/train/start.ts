// How a new run gets its first weights beyond the seeded ones: codes from data, or the weights of another run.
import * as tf from '@tensorflow/tfjs-core'
import { hasCodebook, type RunConfig } from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import { createBatchSource } from '#main/data/batches'
import type { PackReader } from '#main/data/pack-reader'
import type { Random, VqModel } from '#main/model/index'
import { readTensors } from './checkpoint'
import { assignTensor, imageTensor } from './tensors'

/** k-means wants a few vectors for each code, but the memory for them is bounded. */
const vectorsPerCode = 4
const mostBatches = 8

/** Starts the codebook from the first batches, where the configuration asks for it. Takes no batch from training. */
export async function startCodebook({
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
}): Promise<void> {
  if (config.codebookInit === 'kaiming' || !hasCodebook(config)) return
  const source = createBatchSource(pack, splits.train, config)
  const perBatch = config.batchSize * model.tokens[0] * model.tokens[1]
  const wanted =
    config.codebookInit === 'kmeans' ? Math.ceil((config.codebookSize * vectorsPerCode) / perBatch) : 1
  const batches: tf.Tensor4D[] = []
  try {
    for (let i = 0; i < Math.min(wanted, mostBatches); i++) {
      const { values } = await source.next()
      batches.push(imageTensor(values, config.imageSize, config.channelsIn))
    }
    model.initialiseCodebook(batches, random)
  } finally {
    tf.dispose(batches)
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
