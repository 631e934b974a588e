// The model layer: everything that is mathematics, on whichever tfjs backend is set. What a
// configuration looks like without a backend is in `describe`, which imports no tfjs.
export { createModel, type VqModel } from './model'
export { createOptimizer, type Optimizer } from './optimizer'
export {
  computeStep,
  createTrainStep,
  disposeOutput,
  stepInputs,
  type StepInputs,
  type StepOutput,
} from './train-step'
export { diagnosticsDue, diagnosticsFrom, GradientProbe, type Diagnostics } from './diagnostics'
export { startPasses } from './quantize/initial-codes'
export { streamOf, type VectorStream } from './quantize/vector-stream'
export { learningRateAt } from './learning-rate'
export { createRandom, restoreRandom, type Random } from './random'
