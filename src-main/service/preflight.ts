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

/** Runtime and engine before a model is there. */
const baseBytes = 530e6
/**
 * As measured on TensorFlow (docs/performance.md). Weights, gradients and Adam's two moments; a session has weights and moments
 * of its own. How often the output of a layer is there at once, with what the convolutions work in: a layer of the large network
 * has a norm and its activation beside its convolution.
 */
const copies = {
  compiled: { weights: 7, outputs: { quick: 2, cnn: 4 } },
  eager: { weights: 4, outputs: { quick: 6, cnn: 11 } },
} as const
/** Of outputs that a compiled step has in bfloat16. */
const shareOfBfloat16 = 0.75
const bytesPerNumber = 4

/** Engines that run a step as one graph. */
const compiles: ReadonlySet<EngineWish> = new Set(['auto', 'tensorflow-cpu', 'tensorflow-cuda'])

/** Bytes of memory while training, roughly. */
export function estimateMemory(config: RunConfig, engine: EngineWish = 'auto'): number {
  const { layers, parameters, tokens } = describeNetwork(config)
  const outputs = layers.reduce(
    (sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1),
    0,
  )
  const vectors = config.batchSize * tokens[0] * tokens[1]
  // The search holds distances of a chunk of vectors to all codes; some quantizers need those of all vectors, several times.
  const scores = vectors * config.codebookSize
  const distances = holdsAllScores(config) ? 4 * scores : Math.min(scores, 4e6)
  const { weights, outputs: times } = copies[compiles.has(engine) ? 'compiled' : 'eager']
  const share = config.precision === 'bfloat16' ? shareOfBfloat16 : 1
  const numbers =
    parameters * weights + outputs * config.batchSize * times[config.network] * share + 2 * distances
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
    found.push({ field: 'precision', message: `${imprecise} The run would not start: choose 32-bit float.` })
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
    memoryBytes: estimateMemory(config, engineId),
    secondsPerStep: await times.secondsPerStep(config, engineId),
    layers,
    warnings: found,
  }
}
