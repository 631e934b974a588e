// Vectors in the form of quantizers.json: each case names a quantizer or estimator with inputs of its own. Cases are
// looked up by name in `runners`; numbers such as temperatures come from the formula that the case was made from.
import * as tf from '@tensorflow/tfjs-core'
import type { VerifiedCase } from '#shared/contract/verify'
import { estimators } from '#shared/quantize/index'
import { tidied } from '#main/model/tidied'
import { Errors } from './compare'
import { singleBound } from './estimators'
import type { QuantizerCase, Values } from './files'
import { notSupported, passThrough } from './run'

type Inputs = Record<string, tf.Tensor>
type Run = (inputs: Inputs, c: QuantizerCase) => tf.Tensor

/** An input that the case must have. */
function rows(inputs: Inputs, key: string): tf.Tensor2D {
  const tensor = inputs[key]
  if (!tensor) throw new Error(`it has no input “${key}”.`)
  return tensor as tf.Tensor2D
}

/** A number of the formula. */
function parameter(c: QuantizerCase, pattern: RegExp): number {
  const found = pattern.exec(c.formula)?.[1]
  if (found === undefined) throw new Error(`its formula “${c.formula}” does not say ${String(pattern)}.`)
  return Number(found)
}

const runners: Readonly<Record<string, Run>> = {
  rotation_inverse_error: (x) => estimators.rotation_inverse_error.apply(rows(x, 'z'), rows(x, 'q')),
  diveq_noise: (x) => estimators.diveq.apply(rows(x, 'z'), rows(x, 'q'), rows(x, 'noise')),
  sf_diveq: (x) => {
    const ends = { first: rows(x, 'c1'), second: rows(x, 'c2'), t: rows(x, 't') }
    return estimators.sf_diveq.apply(rows(x, 'z'), ends, null)
  },
  gumbel: (x, c) => {
    const temperature = parameter(c, /\/\s*(\d*\.?\d+)\s*\)/)
    return estimators.gumbel.apply(rows(x, 'logits'), rows(x, 'codebook'), rows(x, 'gumbel'), temperature)
  },
}

const flat = (values: Values): number[] => [values].flat(3)

/** `z` → `gradZ`. */
const gradientName = (input: string): string => `grad${input.charAt(0).toUpperCase()}${input.slice(1)}`

export function verifyQuantizer(c: QuantizerCase): VerifiedCase {
  const dim = Array.isArray(c.forward) && Array.isArray(c.forward[0]) ? c.forward[0].length : 1
  const run = runners[c.name]
  if (!run) return notSupported(c.name, dim, 'there is no quantizer of this name')
  return tidied(() => {
    const inputs = Object.fromEntries(
      Object.entries(c.inputs).map(([name, values]) => [name, tf.tensor(values)]),
    )
    const shown = run(inputs, c)
    const upstream = c.upstream ? tf.tensor2d(c.upstream) : tf.onesLike(shown)
    const { value, gradients } = passThrough(inputs, upstream, (x) => run(x, c))
    const errors = new Errors()
    errors.add('forward', value, flat(c.forward))
    for (const [name, expected] of Object.entries(c.gradients))
      errors.add(gradientName(name), gradients[name] ?? [], flat(expected))
    const pass = errors.within(singleBound)
    return { name: c.name, dim, quantities: errors.toQuantities(), indicesEqual: true, pass }
  })
}
