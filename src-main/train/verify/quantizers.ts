// Vectors in the form of quantizers.json, and of the peers' vectors: each case names a quantizer, estimator or part of the
// codebook's care, with inputs of its own. What runs a case is looked up by its name in `runners`.
import * as tf from '@tensorflow/tfjs-core'
import type { VerifiedCase } from '#shared/contract/verify'
import { tidied } from '#main/model/tidied'
import { Errors } from './compare'
import { singleBound } from './estimators'
import type { QuantizerCase, Values } from './files'
import { passThrough, notSupported } from './run'
import { runnerOf } from './runners'

/** The curvature comes from finite differences, of which a third derivative and rounding are left over. */
const looserBounds: Readonly<Record<string, number>> = { hessian: 1e-3 }

const flat = (values: Values): number[] => [values].flat(3)

/** `z` → `gradZ`. */
const gradientName = (input: string): string => `grad${input.charAt(0).toUpperCase()}${input.slice(1)}`

/** As integers where an input names rows. */
function tensorOf(name: string, values: Values): tf.Tensor {
  return name === 'chosen' ? tf.tensor(values, undefined, 'int32') : tf.tensor(values)
}

/** Row by row, [N][B], as the files have them. */
function rowsOf(books: readonly tf.Tensor1D[]): number[] {
  const columns = books.map((indices) => [...indices.dataSync()])
  return (columns[0] ?? []).flatMap((_, row) => columns.map((column) => column[row] ?? -1))
}

export function verifyQuantizer(c: QuantizerCase): VerifiedCase {
  const dim = Array.isArray(c.forward) && Array.isArray(c.forward[0]) ? c.forward[0].length : 1
  const runner = runnerOf(c.name)
  if (!runner) return notSupported(c.name, dim, 'there is no quantizer of this name')
  return tidied(() => {
    const inputs = Object.fromEntries(
      Object.entries(c.inputs).map(([name, values]) => [name, tensorOf(name, values)]),
    )
    const run = runner(inputs, c)
    const errors = new Errors()
    const { output, outputs, indices } = run(inputs)
    errors.add('forward', output.dataSync<'float32'>(), flat(c.forward))
    for (const [name, expected] of Object.entries(c.outputs))
      errors.add(name, outputs?.[name]?.dataSync<'float32'>() ?? [], flat(expected))
    if (c.upstream) {
      const { value, gradients } = passThrough(inputs, tf.tensor2d(c.upstream), (x) => run(x).output)
      errors.add('forward', value, flat(c.forward))
      for (const [name, expected] of Object.entries(c.gradients))
        errors.add(gradientName(name), gradients[name] ?? [], flat(expected))
    }
    const found = indices ? rowsOf(indices) : []
    const indicesEqual = c.indices === undefined || c.indices.flat().join() === found.join()
    const pass = indicesEqual && errors.within(looserBounds[c.name] ?? singleBound)
    return { name: c.name, dim, quantities: errors.toQuantities(), indicesEqual, pass }
  })
}
