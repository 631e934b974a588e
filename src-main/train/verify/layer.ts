// Vectors in the form of layer.json and layers_more.json: a quantizer over several training steps of another library,
// from the same start on the same inputs. The codebook goes its own way here; only after a tie it follows the file's.
import * as tf from '@tensorflow/tfjs-core'
import type { VerifiedCase } from '#shared/contract/verify'
import { startState, updateState, type CodebookConfig } from '#main/model/quantize/codebook'
import { quantize, type QuantizerConfig } from '#main/model/quantize/quantizer'
import { Errors, isTie, unit } from './compare'
import { isEstimator } from './estimators'
import type { LayerRun, LayerStep, Matrix } from './files'
import { notSupported, passThrough } from './run'

/** For layer trajectories, in float32. */
const layerBound = 1e-4

type Config = QuantizerConfig & CodebookConfig

/** What a run's name and fields say: `cosine_rotation`, `gradient_codebook_rotation`, … */
function configOf(run: LayerRun): Config | string {
  const estimator = run.name
    .split('_')
    .map((_, i, words) => words.slice(i).join('_'))
    .flatMap((rest) => [rest, rest.split('_')[0] ?? ''])
    .find(isEstimator)
  if (!estimator) return 'its name ends with no estimator that Gyre knows'
  return {
    estimator,
    distance: run.name.startsWith('cosine') ? 'cosine' : 'euclidean',
    codebookUpdate: run.optimizer === undefined ? 'ema' : 'gradient',
    codebookSize: run.codebook_size,
    codeDim: run.dim,
    emaDecay: run.decay ?? 0,
    deadCodeThreshold: 0,
  }
}

/** The peer's loss: sum(quantized·upstream) + β·‖q − e‖² (mean), where q is constant unless it is trained. */
function lossOf(config: Config, beta: number, upstream: tf.Tensor2D) {
  return ({ e, codes }: { e: tf.Tensor; codes: tf.Tensor }): tf.Tensor => {
    const { output, commitment, codebookLoss } = quantize(e as tf.Tensor2D, codes as tf.Tensor2D, config)
    const auxiliary = codebookLoss ? tf.add(commitment, codebookLoss) : commitment
    return tf.add(tf.sum(tf.mul(output, upstream)), tf.mul(auxiliary, beta))
  }
}

/** Learning rate of `SGD lr 0.1 on the codebook`. */
function sgdRate(optimizer: string | undefined): number | undefined {
  const found = /^SGD lr (\d*\.?\d+(?:e-?\d+)?) on the codebook$/.exec(optimizer ?? '')?.[1]
  return found === undefined ? undefined : Number(found)
}

interface Chosen {
  equal: boolean
  /** Rows in which a tie was broken the other way: what follows from them can't agree. */
  tied: Set<number>
}

function compareIndices(found: readonly number[], step: LayerStep, codes: Matrix, config: Config): Chosen {
  const chosen: Chosen = { equal: found.length === step.indices.length, tied: new Set() }
  for (const [row, expected] of step.indices.entries()) {
    const [mine, x] = [found[row] ?? -1, step.x[row] ?? []]
    if (mine === expected) continue
    const vector = config.distance === 'cosine' ? unit(x) : x
    if (typeof expected === 'number' && isTie(mine, expected, vector, codes)) chosen.tied.add(row)
    else chosen.equal = false
  }
  return chosen
}

/** Numbers of the rows that are no ties. */
function rowsWithout(tied: ReadonlySet<number>, values: ArrayLike<number>, width: number): number[] {
  return Array.from(values).filter((_, i) => !tied.has(Math.floor(i / width)))
}

export function verifyLayer(run: LayerRun): VerifiedCase {
  const { name, dim } = run
  const config = configOf(run)
  if (typeof config === 'string') return notSupported(name, dim, config)
  const rate = sgdRate(run.optimizer)
  if (config.codebookUpdate === 'gradient' && rate === undefined)
    return notSupported(name, dim, `the optimizer “${run.optimizer ?? ''}”`)
  if (!run.codebook_initial) return notSupported(name, dim, 'a run without codebook_initial')
  const errors = new Errors()
  const differing: LayerStep[] = []
  let codesOfFile = run.codebook_initial
  tf.tidy(() => {
    let state = startState(tf.tensor2d(codesOfFile), config)
    for (const step of run.steps) {
      const x = tf.tensor2d(step.x)
      const { output, indices, commitment, searched } = quantize(x, state.codebook, config)
      const { equal, tied } = compareIndices([...indices.dataSync()], step, codesOfFile, config)
      if (!equal) differing.push(step)
      const loss = lossOf(config, run.commitment_weight, tf.tensor2d(step.upstream))
      const { gradients } = passThrough({ e: x, codes: state.codebook }, tf.scalar(1), loss)
      const compareRows = (quantity: string, found: ArrayLike<number>, expected: Matrix): void =>
        errors.add(quantity, rowsWithout(tied, found, dim), rowsWithout(tied, expected.flat(), dim))
      compareRows('quantized', output.dataSync(), step.quantized)
      compareRows('gradX', gradients.e, step.grad_x)
      if (step.commit_loss !== undefined)
        errors.add('commitLoss', tf.mul(commitment, run.commitment_weight).dataSync(), [step.commit_loss])
      if (step.grad_codebook && tied.size === 0)
        errors.add('gradCodebook', gradients.codes, step.grad_codebook.flat())
      // What the file chose moves the codebook, so that a tie does not part the ways.
      const theirs = tf.tensor1d(step.indices.flat(), 'int32')
      const gradient = tf.tensor2d(gradients.codes, state.codebook.shape)
      if (rate === undefined) state = updateState(state, searched, theirs, config)
      else state = { ...state, codebook: tf.sub(state.codebook, tf.mul(gradient, rate)) }
      if (!step.codebook_after) continue
      codesOfFile = step.codebook_after
      if (rate !== undefined && tied.size > 0) state = { ...state, codebook: tf.tensor2d(codesOfFile) }
      else errors.add('codebookAfter', state.codebook.dataSync(), codesOfFile.flat())
    }
  })
  const indicesEqual = differing.length === 0
  const pass = indicesEqual && errors.within(layerBound)
  return { name, dim, quantities: errors.toQuantities(), indicesEqual, pass }
}
