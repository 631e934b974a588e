// The gradient estimators by name. To add one: a file of its own, one line here, one word in the configuration.
import { diveq } from './diveq'
import type { Estimator, EstimatorId } from './estimator'
import { exactGradient } from './exact-gradient'
import { gumbel } from './gumbel'
import { hessian } from './hessian'
import { nsvq } from './nsvq'
import { reflection } from './reflection'
import { rotation } from './rotation'
import { rotationAdaptive } from './rotation-adaptive'
import { rotationInverseError } from './rotation-inverse-error'
import { rotationUnscaled } from './rotation-unscaled'
import { sfDiveq } from './sf-diveq'
import { ste } from './ste'

export type {
  CopyEstimator,
  Estimator,
  EstimatorId,
  GradientAt,
  ProbingEstimator,
  ScaleOptions,
} from './estimator'

/** Each with its own kind, so that `estimators.ste.apply(e, q)` needs no question. */
export const estimators = {
  ste,
  rotation,
  rotation_unscaled: rotationUnscaled,
  rotation_inverse_error: rotationInverseError,
  rotation_adaptive: rotationAdaptive,
  reflection,
  nsvq,
  diveq,
  sf_diveq: sfDiveq,
  gumbel,
  hessian,
  exact_gradient: exactGradient,
} as const satisfies Readonly<Record<EstimatorId, Estimator>>

/** An estimator by a name that is only known at run time; ask its `kind` first. */
export function estimatorOf(id: EstimatorId): Estimator {
  return estimators[id]
}
