// The straight-through estimator: the gradient is copied from the code to the encoder's output unchanged.
import { withGradient } from './custom-gradient'
import type { CopyEstimator } from './estimator'

export const ste: CopyEstimator = {
  id: 'ste',
  kind: 'copy',
  name: 'Straight-through',
  formula: '∇e = g',
  source: 'Bengio et al. 2013, arXiv 1308.3432; van den Oord et al. 2017, arXiv 1711.00937',
  needs: 'ema or codebook loss',
  apply: (e, q) =>
    withGradient(
      [e],
      () => q.clone(),
      (g) => [g],
    ),
}
