// What a design would cost before it is trained. Parameters and shapes are exact, the memory is an estimate whose
// rule is written here, and the time is only ever one that was measured.
import type { z } from 'zod'
import type { EngineWish } from '#shared/contract/common'
import type { DatasetFile } from '#shared/contract/files'
import type { preflight } from '#shared/contract/runs'
import { bookCount, checkConfig, holdsAllScores, type RunConfig } from '#shared/config/index'
import { validationCount } from '#main/data/index'
import { bfloat16Refusal } from '#main/engine/index'
import { describeNetwork } from '#main/model/describe'
import type { StepTimes } from './measured'

export type Preflight = z.output<typeof preflight>

/** Runtime and engine before a model is there, as measured: Node about 150 MB, TensorFlow about 350 MB. */
const baseBytes = 500e6
/** Weights, gradients and Adam's two moments. */
const copiesOfWeights = 4
/**
 * A layer's output is kept with its activation, and again for each while the gradient passes: four, and as much
 * again in workspace of convolutions.
 */
const copiesOfOutputs = 8
const bytesPerNumber = 4

/** Bytes of memory while training, roughly. */
export function estimateMemory(config: RunConfig): number {
  const { layers, parameters, tokens } = describeNetwork(config)
  const outputs = layers.reduce(
    (sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1),
    0,
  )
  const vectors = config.batchSize * tokens[0] * tokens[1]
  // The search holds distances of a chunk of vectors to all codes; some quantizers need those of all vectors, several times.
  const scores = vectors * config.codebookSize
  const distances = holdsAllScores(config) ? 4 * scores : Math.min(scores, 32e6)
  const numbers = parameters * copiesOfWeights + outputs * config.batchSize * copiesOfOutputs + 2 * distances
  return Math.round(baseBytes + numbers * bytesPerNumber)
}

/** @throws GyreError as `describeNetwork` does, when the configuration cannot be built at all */
export async function preflightOf(
  { config, dataset, engineId }: { config: RunConfig; dataset: DatasetFile; engineId: EngineWish },
  times: StepTimes,
): Promise<Preflight> {
  const { layers, parameters, tokens } = describeNetwork(config)
  const validationImages = validationCount(dataset.imageCount, config.validationFraction)
  const trainImages = dataset.imageCount - validationImages
  const imageBits = config.imageSize ** 2 * config.channelsIn * 8
  const codes = tokens[0] * tokens[1] * bookCount(config)
  const tokenBits = codes * Math.max(1, Math.ceil(Math.log2(config.codebookSize)))
  const { errors, warnings } = checkConfig(config)
  const found: Preflight['warnings'] = [...errors, ...warnings]
  if (trainImages < config.batchSize)
    found.push({
      field: 'batchSize',
      message: `A batch of ${config.batchSize} is more than the ${trainImages} training images: images repeat within it.`,
    })
  const imprecise = config.precision === 'bfloat16' && engineId !== 'auto' ? bfloat16Refusal(engineId) : null
  if (imprecise !== null)
    found.push({ field: 'precision', message: `${imprecise} The run would not start; choose float32.` })
  const small = Math.min(dataset.minWidth, dataset.minHeight)
  if (small < config.imageSize)
    found.push({
      field: 'imageSize',
      message: `The smallest image is ${dataset.minWidth}×${dataset.minHeight} or less and will be enlarged to ${config.imageSize} px.`,
    })
  return {
    parameters,
    tokens,
    compressionRatio: imageBits / tokenBits,
    trainImages,
    validationImages,
    stepsPerEpoch: trainImages / config.batchSize,
    memoryBytes: estimateMemory(config),
    secondsPerStep: await times.secondsPerStep(config, engineId),
    layers,
    warnings: found,
  }
}
