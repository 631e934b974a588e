// The quantizer over several training steps against vector-quantize-pytorch: indices, outputs, losses, gradients and
// the codebook's way.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, expect, test } from 'vitest'
import { startState, updateState, type CodebookConfig } from '#main/model/quantize/codebook'
import { quantize, type QuantizerConfig } from '#main/model/quantize/quantizer'
import { layerRuns, relativeError, type LayerRun, type LayerStep } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const bound = 1e-4

function configOf(run: LayerRun): QuantizerConfig & CodebookConfig {
  return {
    estimator: run.name.includes('rotation') ? 'rotation' : 'ste',
    distance: run.name.startsWith('cosine') ? 'cosine' : 'euclidean',
    codebookUpdate: run.name.startsWith('gradient') ? 'gradient' : 'ema',
    codebookSize: run.codebook_size,
    codeDim: run.dim,
    emaDecay: run.decay ?? 0,
    deadCodeThreshold: 0,
  }
}

/** The peer's loss: sum(quantized·upstream) + β·mean(‖q − e‖²), where q is detached unless it is trained. */
function gradients(
  run: LayerRun,
  step: LayerStep,
  codebook: tf.Tensor2D,
): [tf.Tensor, tf.Tensor | undefined] {
  const config = configOf(run)
  const upstream = tf.tensor2d(step.upstream)
  const loss = (e: tf.Tensor2D, codes: tf.Tensor2D): tf.Scalar => {
    const { output, commitment, codebookLoss } = quantize(e, codes, config)
    const auxiliary = codebookLoss ? tf.add(commitment, codebookLoss) : commitment
    return tf.add(tf.sum(tf.mul(output, upstream)), tf.mul(auxiliary, run.commitment_weight))
  }
  const x = tf.tensor2d(step.x)
  if (config.codebookUpdate === 'ema')
    return [tf.grad((e: tf.Tensor) => loss(e as tf.Tensor2D, codebook))(x), undefined]
  const [dx, dc] = tf.grads((e, c) => loss(e as tf.Tensor2D, c as tf.Tensor2D))([x, codebook])
  if (!dx) throw new Error('No gradient.')
  return [dx, dc]
}

function compare(run: LayerRun): void {
  const config = configOf(run)
  let state = startState(tf.tensor2d(run.codebook_initial), config)
  for (const step of run.steps) {
    const { output, indices, commitment, searched } = quantize(tf.tensor2d(step.x), state.codebook, config)
    expect([...indices.dataSync()]).toEqual(step.indices)
    expect(relativeError(output, step.quantized)).toBeLessThan(bound)
    const [gradX, gradCodebook] = gradients(run, step, state.codebook)
    expect(relativeError(gradX, step.grad_x)).toBeLessThan(bound)
    if (step.grad_codebook && gradCodebook) {
      expect(relativeError(tf.mul(commitment, run.commitment_weight), [step.commit_loss])).toBeLessThan(bound)
      expect(relativeError(gradCodebook, step.grad_codebook)).toBeLessThan(bound)
      state = { ...state, codebook: tf.sub(state.codebook, tf.mul(gradCodebook, 0.1)) }
    } else {
      expect(relativeError(commitment, [step.commit_loss])).toBeLessThan(bound)
      state = updateState(state, searched, indices, config)
    }
    expect(relativeError(state.codebook, step.codebook_after)).toBeLessThan(bound)
  }
}

const runs = [
  ...layerRuns('layer'),
  ...layerRuns('layers_more').filter(({ name }) => name.startsWith('gradient')),
]

test('there are four runs', () => expect(runs).toHaveLength(4))

test.each(runs.map((run) => [run.name, run] as const))('%s', (_, run) => compare(run))
