// A baseline of arXiv 2410.06424: the encoder gets the gradient of a second pass in which nothing was quantized. The
// paper runs that pass in the same graph, its loss × 1e-6 and its gradient × 1e6, to keep it from the decoder's weights;
// asked for apart, it never reaches them.
import { withGradient } from './custom-gradient'
import type { ProbingEstimator } from './estimator'

export const exactGradient: ProbingEstimator = {
  id: 'exact_gradient',
  kind: 'probing',
  name: 'Exact gradient',
  formula: '∇e = ∂L/∂x at the decoder input x = e; g is not used',
  source: 'Fifty et al. 2025, arXiv 2410.06424, the exact-gradient baseline',
  needs: 'ema or codebook loss',
  probe: (e, _, gradientAt) => gradientAt(e),
  apply: (e, q, probed) =>
    withGradient(
      [e],
      (save) => {
        save([probed])
        return q.clone()
      },
      (g, [exact]) => [(exact ?? g).clone()],
    ),
}
