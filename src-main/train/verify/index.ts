// `gyre verify`: reference vectors from a file through the same estimators and quantizers that training uses, on the
// engine of this thread. A case that is not known fails; none is left out.
import { GyreError } from '#shared/contract/errors'
import type { VectorKind, Verification, VerifiedCase } from '#shared/contract/verify'
import { verifyEdge } from './edges'
import { verifyEstimator } from './estimators'
import { readVectors } from './files'
import { verifyLayer } from './layer'
import { verifyQuantizer } from './quantizers'

/** A case whose numbers do not even fit together is a fault of the file; the message names it. */
function named<C>(name: (c: C) => string, check: (c: C) => VerifiedCase): (c: C) => VerifiedCase {
  return (c) => {
    try {
      return check(c)
    } catch (cause) {
      if (cause instanceof GyreError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new GyreError('invalid-input', `The case “${name(c)}” can't be run: ${reason}`, undefined, {
        cause,
      })
    }
  }
}

async function casesOf(kind: VectorKind, file: string): Promise<VerifiedCase[]> {
  switch (kind) {
    case 'estimators': {
      const { cases } = await readVectors('estimators', file)
      return cases.map(named((c) => c.estimator, verifyEstimator))
    }
    case 'layer': {
      const { runs } = await readVectors('layer', file)
      return runs.map(named((run) => run.name, verifyLayer))
    }
    case 'quantizers': {
      const { cases, edges } = await readVectors('quantizers', file)
      return [
        ...cases.map(named((c) => c.name, verifyQuantizer)),
        ...edges.map(named((c) => c.name, verifyEdge)),
      ]
    }
  }
}

/**
 * Bounds on max|a−b| / max|b|, in float32: 1e-5 for estimators and single quantizers, 1e-4 for layer trajectories.
 * @throws GyreError `not-found`, or `invalid-input` for a file that is not of this kind
 */
export async function verify(kind: VectorKind, file: string): Promise<Verification> {
  const cases = await casesOf(kind, file)
  return { pass: cases.every(({ pass }) => pass), cases }
}
