// The model layer: everything that is mathematics, on whichever tfjs backend is set.
export { createModel, type Nearest, type VqModel } from './model'
export { describeNetwork, type LayerDescription, type NetworkDescription } from './describe'
export { createOptimizer, type Optimizer } from './optimizer'
export { createTrainStep, disposeOutput, type StepOutput, type TrainStep } from './train-step'
export { learningRateAt } from './learning-rate'
export { createRandom, restoreRandom, type Random } from './random'
