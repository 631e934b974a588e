// The gradient estimators by name. To add one: a file of its own, one line here, one word in the configuration.
import type { Estimator, EstimatorId } from './estimator'
import { rotation } from './rotation'
import { ste } from './ste'

export type { Estimator, EstimatorId } from './estimator'

export const estimators: Readonly<Record<EstimatorId, Estimator>> = { ste, rotation }
