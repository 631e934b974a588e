// Which settings do something in a configuration. The form hides the others, unless their value is what is wrong; the
// command line accepts and stores them.
import { copyEstimators, hasCodebook, hasCommitment, usesEstimator, usesEstimatorNamed } from './quantizers'
import type { ConfigField, RunConfig } from './schema'

type Applies = (config: RunConfig) => boolean

const trained: Applies = (config) => hasCodebook(config) && config.quantizer !== 'simvq'

const rules: Partial<Record<ConfigField, Applies>> = {
  estimator: (config) => usesEstimator(config) || !copyEstimators.includes(config.estimator),
  gammaBound: (config) => usesEstimatorNamed(config, 'rotation_inverse_error'),
  noiseVariance: (config) => usesEstimatorNamed(config, 'diveq', 'sf_diveq'),
  temperature: (config) => usesEstimatorNamed(config, 'gumbel'),
  finalTemperature: (config) => usesEstimatorNamed(config, 'gumbel'),
  hessianStep: (config) => usesEstimatorNamed(config, 'hessian'),
  quantizerDepth: ({ quantizer }) => quantizer === 'residual',
  groups: ({ quantizer }) => quantizer === 'grouped',
  fsqLevels: ({ quantizer }) => quantizer === 'fsq',
  softConvexLambda: ({ quantizer }) => quantizer === 'soft_convex',
  sinkhornIterations: ({ quantizer }) => quantizer === 'optvq',
  sinkhornSharpness: ({ quantizer }) => quantizer === 'optvq',
  distance: ({ quantizer, distance }) =>
    ['vq', 'grouped', 'optvq'].includes(quantizer) || distance !== 'euclidean',
  codebookUpdate: hasCodebook,
  codebookInit: trained,
  emaDecay: (config) =>
    (trained(config) && (config.codebookUpdate === 'ema' || config.deadCodeThreshold > 0)) ||
    usesEstimatorNamed(config, 'rotation_adaptive'),
  deadCodeThreshold: (config) => trained(config) || config.deadCodeThreshold > 0,
  reviveFrom: (config) => trained(config) && config.deadCodeThreshold > 0,
  orthogonalWeight: (config) =>
    (hasCodebook(config) && config.codebookUpdate === 'gradient') || config.orthogonalWeight > 0,
  entropyTemperature: ({ entropyWeight }) => entropyWeight > 0,
  commitmentWeight: hasCommitment,
  channelMultipliers: ({ network }) => network === 'cnn',
  attention: ({ network, attention }) => network === 'cnn' || attention.length > 0,
  weightDecay: ({ optimizer }) => optimizer === 'adamw',
  finalLearningRate: ({ schedule }) => schedule !== 'constant',
}

/** False where the value of `key` changes nothing in this configuration. */
export function fieldApplies(key: ConfigField, config: RunConfig): boolean {
  return rules[key]?.(config) ?? true
}
