// Looks at a codebook through images: how often each code is chosen, how far its vectors are, and which come nearest.
// One pass; memory for K × n samples, whatever the number of images.
import * as tf from '@tensorflow/tfjs-core'
import { totalCodes } from '#shared/config/index'
import { schemaVersion } from '#shared/contract/files'
import type { PackReader } from '#main/data/pack-reader'
import type { VqModel } from '#main/model/index'
import type { Computation, Forward, Numbers } from './forward'
import type { Inspection, InspectionArrays } from './inspection'
import { codeStatistics } from './metrics'
import { NearestSamples, type NearestArrays } from './nearest'
import { forEachBatch, type PassOptions } from './passes'
import type { CheckpointState } from './state'
import { deadCodes } from './windows'

const largestInt32 = 2_147_483_647

export interface InspectOptions extends PassOptions {
  split: 'train' | 'all'
  /** Samples to keep per code. */
  nearest: number
}

type Places = Pick<InspectionArrays, 'nearestItem' | 'nearestRow' | 'nearestColumn'>

/** Positions of tokens and images as the files state them. */
function placesOf(kept: NearestArrays, pack: PackReader, columns: number): Places {
  const used = (place: (at: number) => number): Int32Array =>
    kept.images.map((image, at) => (image < 0 ? -1 : place(at)))
  return {
    nearestItem: used((at) => pack.item(kept.images[at] ?? 0)),
    nearestRow: used((at) => Math.floor((kept.tokens[at] ?? 0) / columns)),
    nearestColumn: used((at) => (kept.tokens[at] ?? 0) % columns),
  }
}

const looking: Computation<'indices' | 'bookErrors'> = {
  name: 'inspect',
  compute: (model, x) => {
    const { indices, bookErrors } = model.nearest(model.encode(x))
    return { indices, bookErrors }
  },
}

/** Inspects a model over the images at `indices`; `state` is that of its checkpoint. */
export async function inspect(
  { model, forward, state }: { model: VqModel; forward: Forward; state: CheckpointState },
  pack: PackReader,
  indices: Int32Array,
  { split, nearest, ...pass }: InspectOptions,
): Promise<Inspection> {
  const { codeDim, distance } = model.config
  // All codebooks together: a code goes by its number.
  const codebookSize = totalCodes(model.config)
  const perImage = model.tokens[0] * model.tokens[1] * model.quantizer.books
  const [rows, columns] = model.tokens
  const counts = new Float64Array(codebookSize)
  const distances = new Float64Array(codebookSize)
  const samples = new NearestSamples(codebookSize, nearest)
  // Both [N·H·W·B]; the distances are squared.
  const visit = (
    { indices: codes, bookErrors: errors }: Numbers<'indices' | 'bookErrors'>,
    images: Int32Array,
  ): void => {
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at] ?? 0
      const far = Math.sqrt(errors[at] ?? 0)
      const image = Math.floor(at / perImage)
      counts[code] = (counts[code] ?? 0) + 1
      distances[code] = (distances[code] ?? 0) + far
      samples.add(code, far, images[image] ?? 0, Math.floor((at % perImage) / model.quantizer.books))
    }
  }
  await forEachBatch({ forward, pack, indices }, looking, visit, pass)
  const kept = samples.finish()
  const dead = deadCodes(state)
  const norms = tf.tidy(() => tf.norm(model.codebook(), 'euclidean', 1).dataSync()) as Float32Array
  return {
    summary: {
      schemaVersion,
      step: state.step,
      split,
      images: indices.length,
      vectors: indices.length * rows * columns,
      tokens: [rows, columns],
      codebookSize,
      codeDim,
      distance,
      nearest,
      ...codeStatistics(counts),
      dead: dead.flags.reduce((sum, flag) => sum + flag, 0),
      deadWindow: dead.window,
    },
    counts: Int32Array.from(counts, (count) => Math.min(count, largestInt32)),
    deadFlags: dead.flags,
    norms,
    meanDistance: Float32Array.from(distances, (sum, code) => sum / (counts[code] ?? 0)),
    nearestCount: kept.counts,
    nearestDistance: kept.distances,
    ...placesOf(kept, pack, columns),
  }
}
