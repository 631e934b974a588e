// What follows from the choice of quantizer and estimator: sizes, and which parts take part at all. Pure arithmetic on a
// configuration; the mathematics is in the model.
import type { RunConfig } from './schema'

export type EstimatorName = RunConfig['estimator']

/** Hand on the code itself and choose only the gradient to the encoder; a codebook loss or EMA trains the codes. */
export const copyEstimators: readonly EstimatorName[] = [
  'rotation',
  'ste',
  'rotation_unscaled',
  'rotation_inverse_error',
  'rotation_adaptive',
  'reflection',
]
/** Train the codebook by their own gradient, without auxiliary losses. */
export const selfTrainingEstimators: readonly EstimatorName[] = ['nsvq', 'diveq', 'sf_diveq', 'gumbel']

/** Pixels per token side: 4 for the quick network, 2 per level after the first for the paper's. */
export function downsampling(config: Pick<RunConfig, 'network' | 'channelMultipliers'>): number {
  return config.network === 'quick' ? 4 : 2 ** (config.channelMultipliers.length - 1)
}

/** Tokens per side of the grid. */
export function tokenGrid(config: RunConfig): number {
  return config.imageSize / downsampling(config)
}

type Sizes = Pick<
  RunConfig,
  'quantizer' | 'quantizerDepth' | 'groups' | 'codebookSize' | 'codeDim' | 'latentDim'
>

/** Codebooks, and so codes per token: the depth of a residual quantizer, the groups of a grouped one, else 1. */
export function bookCount(config: Pick<Sizes, 'quantizer' | 'quantizerDepth' | 'groups'>): number {
  if (config.quantizer === 'residual') return config.quantizerDepth
  return config.quantizer === 'grouped' ? config.groups : 1
}

/** Codes of all codebooks together. Everything that counts codes numbers them book · K + index. */
export function totalCodes(config: Omit<Sizes, 'codeDim' | 'latentDim'>): number {
  return bookCount(config) * config.codebookSize
}

/** Numbers per code: a grouped quantizer gives each group its share of the dimensions. */
export function bookDim(config: Omit<Sizes, 'codebookSize' | 'latentDim'>): number {
  return config.quantizer === 'grouped' ? config.codeDim / config.groups : config.codeDim
}

/** Numbers per token between the networks and the quantizer. */
export function latentWidth({ latentDim, codeDim }: Pick<RunConfig, 'latentDim' | 'codeDim'>): number {
  return latentDim === 0 ? codeDim : latentDim
}

/** Does the estimator choose the gradient, or does the quantizer bring its own? */
export function usesEstimator({ quantizer }: Pick<RunConfig, 'quantizer'>): boolean {
  return ['vq', 'residual', 'grouped', 'simvq', 'optvq'].includes(quantizer)
}

export function usesEstimatorNamed(
  config: Pick<RunConfig, 'quantizer' | 'estimator'>,
  ...names: EstimatorName[]
): boolean {
  return usesEstimator(config) && names.includes(config.estimator)
}

/** Are there codes to learn at all? */
export function hasCodebook({ quantizer }: Pick<RunConfig, 'quantizer'>): boolean {
  return quantizer !== 'fsq' && quantizer !== 'lfq'
}

/** Do encoder and codes meet in auxiliary losses (commitment, codebook loss), or through the gradient alone? */
export function hasCommitment(config: Pick<RunConfig, 'quantizer' | 'estimator'>): boolean {
  if (config.quantizer === 'soft_convex' || config.quantizer === 'fsq') return false
  return !usesEstimatorNamed(config, ...selfTrainingEstimators)
}

/** Is there a loss that pulls codes to their vectors? */
export function hasCodebookLoss(
  config: Pick<RunConfig, 'quantizer' | 'estimator' | 'codebookUpdate'>,
): boolean {
  return config.codebookUpdate === 'gradient' && hasCodebook(config) && hasCommitment(config)
}

/** β, or 0 where there is no commitment loss. */
export function effectiveCommitment(
  config: Pick<RunConfig, 'quantizer' | 'estimator' | 'commitmentWeight'>,
): number {
  return hasCommitment(config) ? config.commitmentWeight : 0
}

/** Does the decoder see nothing but codes once trained? */
export function isDiscrete(config: Pick<RunConfig, 'quantizer' | 'estimator'>): boolean {
  return config.quantizer !== 'soft_convex' && !usesEstimatorNamed(config, 'sf_diveq')
}

/** One score for every vector and code is in memory at once. */
export function holdsAllScores(
  config: Pick<RunConfig, 'quantizer' | 'estimator' | 'entropyWeight'>,
): boolean {
  if (['ibq', 'optvq', 'soft_convex'].includes(config.quantizer)) return true
  return config.entropyWeight > 0 || usesEstimatorNamed(config, 'gumbel')
}
