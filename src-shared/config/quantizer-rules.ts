// Which quantizers, estimators and codebook settings go together, and why the others do not. Used by `checkConfig`.
import {
  copyEstimators,
  hasCodebook,
  holdsAllScores,
  isDiscrete,
  selfTrainingEstimators,
  tokenGrid,
  totalCodes,
  usesEstimator,
  usesEstimatorNamed,
} from './quantizers'
import type { ConfigField, RunConfig } from './schema'

export interface Finding {
  field: ConfigField
  message: string
}

export interface Findings {
  errors: Finding[]
  warnings: Finding[]
}

/** Scores of a batch held at once: 256 MB as float32, and a step holds a few such tensors. */
const mostScores = 67_108_864
/** The soft convex quantizer solves a system of this size in every step. */
const mostSoftConvexDim = 64

type Say = (field: ConfigField, message: string) => unknown

/** Fixed grids have no codebook: their sizes follow from each other. */
function checkGrids(config: RunConfig, error: Say): void {
  const { quantizer, fsqLevels, codeDim, codebookSize, deadCodeThreshold } = config
  if (quantizer === 'fsq') {
    const codes = fsqLevels.reduce((product, level) => product * level, 1)
    if (codeDim !== fsqLevels.length)
      error('codeDim', `fsq with ${fsqLevels.length} levels needs a code dimension of ${fsqLevels.length}.`)
    if (codes > 65_536) error('fsqLevels', `These levels make ${codes} codes; 65536 is the most.`)
    else if (codebookSize !== codes)
      error('codebookSize', `fsq with levels ${fsqLevels.join(',')} has ${codes} codes: set ${codes}.`)
  }
  if (quantizer === 'lfq' && codebookSize !== 2 ** codeDim)
    error(
      'codeDim',
      `lfq has one bit a dimension: ${codebookSize} codes need ${String(Math.log2(codebookSize))} dimensions. Choose a power of two and its exponent.`,
    )
  if (!hasCodebook(config) && deadCodeThreshold > 0)
    error('deadCodeThreshold', `${quantizer} has no codebook, so no code can be revived.`)
}

/** Who trains the codes: exactly one of running means, a codebook loss, or the estimator's own gradient. */
function checkTraining(config: RunConfig, error: Say): void {
  const { quantizer, estimator, codebookUpdate, deadCodeThreshold, orthogonalWeight } = config
  const byGradient = ['simvq', 'ibq', 'soft_convex'].includes(quantizer)
  if (codebookUpdate === 'ema' && byGradient)
    error('codebookUpdate', `${quantizer} trains its codes by gradient; running means (ema) would undo that.`)
  if (codebookUpdate === 'ema' && usesEstimatorNamed(config, ...selfTrainingEstimators))
    error(
      'codebookUpdate',
      `${estimator} trains the codes by its own gradient; running means (ema) would overwrite it.`,
    )
  if (quantizer === 'simvq' && deadCodeThreshold > 0)
    error('deadCodeThreshold', 'simvq moves all codes together; a single one cannot be revived.')
  if (orthogonalWeight > 0 && (codebookUpdate === 'ema' || !hasCodebook(config)))
    error(
      'orthogonalWeight',
      'Orthogonality is a loss on the codes: it needs a codebook trained by gradient.',
    )
}

function checkPairs(config: RunConfig, error: Say): void {
  const { quantizer, estimator, distance, groups, codeDim } = config
  if (quantizer !== 'vq' && !copyEstimators.includes(estimator))
    error(
      'estimator',
      usesEstimator(config)
        ? `${estimator} needs a single codebook (quantizer vq): ${quantizer} hands on the codes themselves.`
        : `${quantizer} has a gradient of its own; ${estimator} would do nothing.`,
    )
  if (quantizer === 'grouped' && codeDim % groups !== 0)
    error('groups', `A code of ${codeDim} numbers cannot be cut into ${groups} equal groups.`)
  if (distance === 'cosine') {
    if (quantizer === 'residual')
      error('distance', 'A residual quantizer would normalise what is left over again at every level.')
    else if (!['vq', 'grouped', 'optvq'].includes(quantizer))
      error('distance', `${quantizer} does not work on normalised vectors.`)
    else if (usesEstimatorNamed(config, ...selfTrainingEstimators))
      error('distance', `${estimator} leaves the unit sphere that a cosine codebook lives on.`)
  }
}

function checkSizes(config: RunConfig, error: Say): void {
  const { batchSize, codeDim, quantizer, temperature, finalTemperature } = config
  const scores = batchSize * tokenGrid(config) ** 2 * totalCodes(config)
  if (holdsAllScores(config) && scores > mostScores)
    error(
      'codebookSize',
      `This needs ${Math.ceil(scores / 1e6)} million scores in memory at once; ${Math.floor(mostScores / 1e6)} million is the most. Use fewer codes, smaller batches or smaller images.`,
    )
  if (quantizer === 'soft_convex' && codeDim > mostSoftConvexDim)
    error('codeDim', `soft_convex works with codes of at most ${mostSoftConvexDim} numbers.`)
  if (usesEstimatorNamed(config, 'gumbel') && finalTemperature > temperature)
    error('finalTemperature', 'The final temperature is above the temperature: it only falls.')
}

function warnings(config: RunConfig, warn: Say): void {
  const { quantizer, estimator, deadCodeThreshold, gammaBound, codebookInit, entropyWeight } = config
  const turns = copyEstimators.includes(estimator) && estimator !== 'ste'
  if (!isDiscrete(config)) {
    const [field, what] =
      quantizer === 'soft_convex'
        ? (['quantizer', 'a mixture of codes'] as const)
        : (['estimator', 'points between codes'] as const)
    warn(field, `The decoder sees ${what}, not a discrete code; tokens are only the nearest codes.`)
  }
  if (quantizer === 'lfq' && entropyWeight === 0)
    warn(
      'entropyWeight',
      'lfq uses few of its codes without an entropy loss; 0.1 with a small commitment weight works.',
    )
  if (quantizer === 'soft_convex' && codebookInit === 'kaiming')
    warn(
      'codebookInit',
      'Vectors far outside small random codes get no gradient from soft_convex: start from data or kmeans.',
    )
  if (quantizer === 'simvq' && turns)
    warn(
      'estimator',
      'With simvq the commitment loss of a rotated gradient has been seen to blow up; ste is safer.',
    )
  if (quantizer === 'optvq' && turns)
    warn(
      'estimator',
      'optvq may hand out codes that are far away, and a rotation by a large angle can mislead.',
    )
  if (usesEstimatorNamed(config, 'rotation_inverse_error') && gammaBound === 0)
    warn('gammaBound', 'Without a bound the gradient explodes where a vector meets its code.')
  if (usesEstimatorNamed(config, 'nsvq', 'diveq', 'sf_diveq') && deadCodeThreshold === 0)
    warn(
      'deadCodeThreshold',
      `${estimator} trains only codes that are chosen; it was made for use with revival.`,
    )
}

/** Errors and warnings about everything between encoder and decoder. */
export function checkQuantizer(config: RunConfig): Findings {
  const found: Findings = { errors: [], warnings: [] }
  const error: Say = (field, message) => found.errors.push({ field, message })
  checkGrids(config, error)
  checkTraining(config, error)
  checkPairs(config, error)
  checkSizes(config, error)
  warnings(config, (field, message) => found.warnings.push({ field, message }))
  return found
}
