// Our side of the twin: the network of "Quick look" at 32 px from a seed, fifty batches of real images, and what a
// training step makes of them. Weights and batches can be written for a peer to start from the same place.
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { configSchema, presets, type RunConfig } from '#shared/config/index'
import { createBatchSource, importDataset, openPack, packDataset, sampleFolder } from '#main/data/index'
import { writeSafetensors } from '#main/export/safetensors'
import {
  createModel,
  createOptimizer,
  createRandom,
  createTrainStep,
  disposeOutput,
  learningRateAt,
} from '#main/model/index'
import { scaledPixels } from '#main/data/scale'
import { imageTensor, snapshot } from '#main/train/tensors'

export const twinSteps = 50
const imageCount = 96

export interface Twin {
  name: string
  estimator: 'ste' | 'rotation'
  distance: 'euclidean' | 'cosine'
  learningRate: number
  /** So many steps must agree. */
  agree: number
}

const combinations = (['euclidean', 'cosine'] as const).flatMap((distance) =>
  (['ste', 'rotation'] as const).map((estimator) => ({ distance, estimator })),
)

/**
 * The same four at two rates. At a calm one all fifty steps must agree. At the preset's own rate a step is a chaotic map:
 * one vector that changes its code for a last bit is seen in the loss ten steps later (PyTorch in float32 leaves PyTorch
 * in float64 as fast), so only the first steps must.
 */
export const twins: readonly Twin[] = [
  ...combinations.map((one) => ({
    ...one,
    name: `${one.distance}_${one.estimator}`,
    learningRate: 6e-5,
    agree: twinSteps,
  })),
  ...combinations.map((one) => ({
    ...one,
    name: `${one.distance}_${one.estimator}_preset_rate`,
    learningRate: 3e-4,
    agree: 15,
  })),
]

export interface TwinLosses {
  loss: number[]
  mse: number[]
}

export function twinConfig({ estimator, distance, learningRate }: Omit<Twin, 'name' | 'agree'>): RunConfig {
  const preset = presets.find(({ id }) => id === 'quick-look')
  if (!preset) throw new Error('The preset “Quick look” is gone.')
  const small = { imageSize: 32, batchSize: 16, codebookSize: 128, steps: twinSteps, seed: 5 }
  return configSchema.parse({ ...preset.config, ...small, estimator, distance, learningRate })
}

/** What all twins share. */
const shared = twinConfig({ estimator: 'ste', distance: 'euclidean', learningRate: 6e-5 })

const bytesOf = (values: Float32Array): Uint8Array =>
  Uint8Array.from(values, (value) => Math.round((value + 1) * 127.5))

/** The bytes [N, 32, 32, 3] of every batch: images of the sample set through Gyre's own import, in `folder`. */
export async function twinBatches(folder: string): Promise<Uint8Array[]> {
  const { imageSize, resize, background, channelsIn, batchSize, sampling, seed, flip, randomCrop } = shared
  const source = join(folder, 'images')
  await mkdir(source)
  const sample = sampleFolder().folder
  const names = (await readdir(sample)).filter((name) => name.endsWith('.png')).sort()
  const stride = Math.floor(names.length / imageCount)
  for (const name of names.filter((_, i) => i % stride === 0).slice(0, imageCount))
    await copyFile(join(sample, name), join(source, name))
  const datasetFolder = join(folder, 'dataset')
  await importDataset({ datasetFolder, source, kind: 'folder', id: 'twin', name: 'twin' })
  const transform = { imageSize, resize, background, channelsIn }
  const pack = openPack(await packDataset({ datasetFolder, transform }))
  const all = Int32Array.from({ length: pack.info.count }, (_, i) => i)
  const batches = createBatchSource(pack, all, { batchSize, sampling, seed, flip, randomCrop })
  const pixels: Uint8Array[] = []
  while (pixels.length < twinSteps) pixels.push(bytesOf((await batches.next()).values))
  await batches.close()
  pack.close()
  return pixels
}

/** Start weights by their exported names, before any step. */
export async function writeStart(file: string, twin: Twin): Promise<void> {
  const config = twinConfig(twin)
  const model = createModel(config, config.seed)
  await writeSafetensors(file, snapshot([...model.trainable, ...model.state]), {
    estimator: twin.estimator,
    distance: twin.distance,
    learningRate: String(twin.learningRate),
  })
  model.dispose()
}

export async function writeBatches(file: string, batches: readonly Uint8Array[]): Promise<void> {
  const { batchSize, imageSize } = shared
  const shape = [batches.length, batchSize, imageSize, imageSize, 3]
  await writeSafetensors(file, [{ name: 'pixels', dtype: 'U8', shape, data: Buffer.concat(batches) }], {})
}

/** Trains on the batches with the engine of this thread. */
export function trainTwin(twin: Twin, batches: readonly Uint8Array[]): TwinLosses {
  const config = twinConfig(twin)
  const model = createModel(config, config.seed)
  const optimizer = createOptimizer(config, model)
  const step = createTrainStep(model, optimizer, config)
  const random = createRandom(config.seed)
  const losses: TwinLosses = { loss: [], mse: [] }
  for (const [i, pixels] of batches.entries()) {
    const x = imageTensor(scaledPixels(pixels), config.imageSize, config.channelsIn)
    const output = step(x, learningRateAt(config, i + 1), i + 1, random)
    losses.loss.push(output.loss.dataSync()[0] ?? NaN)
    losses.mse.push(output.mse.dataSync()[0] ?? NaN)
    tf.dispose(x)
    disposeOutput(output)
  }
  optimizer.dispose()
  model.dispose()
  return losses
}
