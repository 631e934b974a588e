// Vectors where a rotation is not defined or hard to compute: the forward pass must be the code itself, and the gradient
// straight-through where a length is tiny, else the closed form, which is written out here in float64.
import * as tf from '@tensorflow/tfjs-core'
import type { VerifiedCase } from '#shared/contract/verify'
import { estimators } from '#shared/quantize/index'
import { tidied } from '#main/model/tidied'
import { Errors, unit } from './compare'
import { singleBound } from './estimators'
import type { EdgeCase } from './files'
import { passThrough } from './run'

const tinyNorm = 1e-6
const tinySum = 1e-3

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
const norm = (a: readonly number[]): number => Math.sqrt(dot(a, a))

/** λ[g − 2r(rᵀg) + 2ê(q̂ᵀg)] of one row (arXiv 2410.06424, §4), or g where that is not defined. */
export function rotatedGradient(z: readonly number[], q: readonly number[], g: readonly number[]): number[] {
  const [zHat, qHat] = [unit(z), unit(q)]
  const sum = zHat.map((value, i) => value + (qHat[i] ?? 0))
  if (norm(z) < tinyNorm || norm(q) < tinyNorm || norm(sum) < tinySum) return [...g]
  const lambda = norm(q) / norm(z)
  const r = unit(sum)
  const [alongR, alongQ] = [dot(r, g), dot(qHat, g)]
  return g.map((value, i) => lambda * (value - 2 * (r[i] ?? 0) * alongR + 2 * (zHat[i] ?? 0) * alongQ))
}

/** The rotation by its closed form; every other estimator that hands on the code must stay exact and finite. */
export function verifyEdge(c: EdgeCase): VerifiedCase {
  return tidied(() => {
    const [z, q, upstream] = [tf.tensor2d(c.z), tf.tensor2d(c.q), tf.tensor2d(c.upstream)]
    const code = q.dataSync()
    const errors = new Errors()
    const wrong: string[] = []
    for (const estimator of Object.values(estimators)) {
      if (estimator.kind !== 'copy') continue
      const { value, gradients } = passThrough({ z, q }, upstream, (x) =>
        estimator.apply(x.z as tf.Tensor2D, x.q as tf.Tensor2D),
      )
      if (!value.every((x, i) => x === code[i])) wrong.push(`the forward pass of ${estimator.id} is not q`)
      if (!gradients.z.every(Number.isFinite)) wrong.push(`the gradient of ${estimator.id} is not finite`)
      if (estimator.id !== 'rotation') continue
      errors.add('forward', value, code)
      const expected = c.upstream.flatMap((g, i) => rotatedGradient(c.z[i] ?? [], c.q[i] ?? [], g))
      errors.add('gradZ', gradients.z, expected)
    }
    const pass = wrong.length === 0 && errors.within(singleBound)
    const dim = c.z[0]?.length ?? 0
    const result = { name: c.name, dim, quantities: errors.toQuantities(), indicesEqual: true, pass }
    return wrong.length > 0 ? { ...result, problem: wrong.join('; ') } : result
  })
}
