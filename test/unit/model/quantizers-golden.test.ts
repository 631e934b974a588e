// The quantizers against float64 autograd of their formulas, and residual quantization against vector-quantize-pytorch.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { defaultConfig, type RunConfig } from '#shared/config/schema'
import { startState, updateState, type CodebookState } from '#main/model/quantize/codebook'
import { finiteScalars, signs } from '#main/model/quantize/grids'
import { indexBackpropagated } from '#main/model/quantize/ibq'
import { quantize } from '#main/model/quantize/quantizer'
import { residualScheme } from '#main/model/quantize/residual'
import { nearestCodes } from '#main/model/quantize/search'
import { mixtureShares } from '#main/model/quantize/soft-convex'
import { layerRuns, quantizerCases, relativeError, type Matrix } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const bound = 1e-5
type Rows = tf.Tensor2D

/** Forward and gradients of `run` over the named inputs of a case. */
function check(name: string, keys: string[], run: (...inputs: Rows[]) => tf.Tensor): void {
  const found = quantizerCases().find((c) => c.name === name)
  if (!found) throw new Error(`no case ${name}`)
  const inputs = keys.map((key) => tf.tensor2d(found.inputs[key] ?? []))
  const { value, grads } = tf.valueAndGrads((...xs: tf.Tensor[]) => run(...(xs as Rows[])))(
    inputs,
    tf.tensor2d(found.upstream),
  )
  expect(relativeError(value, found.forward), 'forward').toBeLessThan(bound)
  const expected = keys.filter((key) => key in found.gradients)
  expect(expected.toSorted()).toEqual(Object.keys(found.gradients).toSorted())
  for (const key of expected)
    expect(
      relativeError(grads[keys.indexOf(key)] ?? tf.scalar(NaN), found.gradients[key] ?? []),
      key,
    ).toBeLessThan(bound)
}

describe('quantizers.json', () => {
  test('ibq', () => check('ibq', ['z', 'codebook'], (z, codes) => indexBackpropagated(z, codes).output))

  test('soft_convex', () => {
    check('soft_convex', ['z', 'codebook'], (z, codes) => {
      const indices = nearestCodes(z, codes).clone()
      return tf.matMul(mixtureShares(z, codes, indices, 0.1), codes)
    })
  })

  test('simvq_ste', () => {
    const frozen = tf.tensor2d(quantizerCases().find((c) => c.name === 'simvq_ste')?.inputs['frozen'] ?? [])
    const config = { estimator: 'ste', distance: 'euclidean', codebookUpdate: 'gradient' } as const
    const found = quantizerCases().find((c) => c.name === 'simvq_ste')
    if (!found) throw new Error('no case')
    const [z, w] = [tf.tensor2d(found.inputs['z'] ?? []), tf.tensor2d(found.inputs['W'] ?? [])]
    const run = (x: tf.Tensor): tf.Tensor =>
      quantize(x as Rows, tf.matMul(frozen, w, false, true), config).output
    const { value, grad } = tf.valueAndGrad(run)(z, tf.tensor2d(found.upstream))
    expect(relativeError(value, found.forward)).toBeLessThan(bound)
    expect(relativeError(grad, found.gradients['z'] ?? [])).toBeLessThan(bound)
    // The reconstruction gives W nothing: its gradient comes from the codebook loss.
    expect(found.gradients['W']?.flat().every((x) => x === 0)).toBe(true)
    const loss = (x: tf.Tensor): tf.Scalar =>
      quantize(z, tf.matMul(frozen, x, false, true), config).codebookLoss ?? tf.scalar(0)
    expect(tf.max(tf.abs(tf.grad(loss)(w))).dataSync()[0]).toBeGreaterThan(1e-3)
  })

  test('fsq', () => check('fsq', ['z'], (z) => finiteScalars(z, [8, 5, 5])))
  test('lfq', () => check('lfq', ['z'], (z) => signs(z)))
})

interface ResidualRun {
  name: string
  dim: number
  codebook_size: number
  depth: number
  decay: number
  codebooks_initial: Matrix[]
  steps: {
    x: Matrix
    upstream: Matrix
    indices: number[][]
    quantized: Matrix
    commit_losses: number[]
    grad_x: Matrix
    codebooks_after: Matrix[]
  }[]
}

test('layers_more.json: residual quantization with rotation and running means', () => {
  const run = layerRuns('layers_more').find(
    ({ name }) => name === 'residual_rotation_ema',
  ) as unknown as ResidualRun
  const config: RunConfig = {
    ...defaultConfig,
    quantizer: 'residual',
    quantizerDepth: run.depth,
    estimator: 'rotation',
    codebookSize: run.codebook_size,
    codeDim: run.dim,
    emaDecay: run.decay,
  }
  const scheme = residualScheme(config)
  let states: CodebookState[] = run.codebooks_initial.map((codes) => startState(tf.tensor2d(codes), config))
  expect(run.steps.length).toBeGreaterThan(2)
  for (const step of run.steps) {
    const books = states.map((state) => state.codebook)
    const [x, upstream] = [tf.tensor2d(step.x), tf.tensor2d(step.upstream)]
    const pass = scheme.quantize(x, books, {})
    expect(
      tf
        .stack(
          pass.answers.map((one) => one.indices),
          1,
        )
        .arraySync(),
    ).toEqual(step.indices)
    expect(relativeError(pass.output, step.quantized)).toBeLessThan(1e-4)
    const sum = step.commit_losses.reduce((a, b) => a + b, 0)
    expect(relativeError(pass.commitment, [sum])).toBeLessThan(1e-4)
    const loss = (e: tf.Tensor): tf.Scalar => {
      const { output, commitment } = scheme.quantize(e as Rows, books, {})
      return tf.add(tf.sum(tf.mul(output, upstream)), commitment)
    }
    expect(relativeError(tf.grad(loss)(x), step.grad_x)).toBeLessThan(1e-4)
    states = states.map((state, i) => {
      const answer = pass.answers[i]
      return answer ? updateState(state, answer.searched, answer.indices, config) : state
    })
    states.forEach((state, i) =>
      expect(relativeError(state.codebook, step.codebooks_after[i] ?? [])).toBeLessThan(1e-4),
    )
  }
})
