// Vectors in the form of layer.json and layers_more.json: a quantizer over several training steps of another library,
// from the same start on the same inputs. The codebooks go their own way here; only after a tie they follow the file.
import * as tf from '@tensorflow/tfjs-core'
import { configSchema, type RunConfig } from '#shared/config/schema'
import type { VerifiedCase } from '#shared/contract/verify'
import { startState, updateState, type CodebookState } from '#main/model/quantize/codebook'
import { residualScheme } from '#main/model/quantize/residual'
import { singleScheme } from '#main/model/quantize/single'
import type { Pass, Scheme } from '#main/model/quantize/types'
import { Errors } from './compare'
import { isEstimator } from './estimators'
import type { LayerRun, LayerStep, Matrix } from './files'
import { compareIndices } from './indices'
import { notSupported, passThrough } from './run'

/** For layer trajectories, in float32. */
const layerBound = 1e-4

/** What a run's name and fields say: `cosine_rotation`, `gradient_codebook_rotation`, … */
function configOf(run: LayerRun): RunConfig | string {
  const words = run.name.split('_')
  const estimator = words
    .flatMap((word, i) => [words.slice(i).join('_'), word])
    .find((name) => isEstimator(name))
  if (!estimator) return 'its name holds no estimator that Gyre knows'
  return configSchema.parse({
    estimator,
    quantizer: run.depth === undefined ? 'vq' : 'residual',
    quantizerDepth: run.depth ?? 1,
    distance: run.name.startsWith('cosine') ? 'cosine' : 'euclidean',
    codebookUpdate: run.optimizer === undefined ? 'ema' : 'gradient',
    codebookSize: run.codebook_size,
    codeDim: run.dim,
    emaDecay: run.decay ?? 0,
    deadCodeThreshold: 0,
  })
}

/** Learning rate of `SGD lr 0.1 on the codebook`. */
function sgdRate(optimizer: string): number | null {
  const found = /^SGD lr (\d*\.?\d+(?:e-?\d+)?) on the codebook$/.exec(optimizer)?.[1]
  return found === undefined ? null : Number(found)
}

type Tensors = Record<string, tf.Tensor>

/** Scheme, β and codebooks of a run, and how they move. */
class Layer {
  readonly #scheme: Scheme
  #states: CodebookState[]

  constructor(
    readonly config: RunConfig,
    readonly beta: number,
    start: readonly Matrix[],
    /** Of plain gradient descent on the codebook; null with EMA. */
    readonly rate: number | null,
  ) {
    this.#scheme = config.quantizer === 'residual' ? residualScheme(config) : singleScheme(config)
    this.#states = start.map((codes) => startState(tf.tensor2d(codes), config))
  }

  get books(): tf.Tensor2D[] {
    return this.#states.map(({ codebook }) => codebook)
  }

  pass(x: tf.Tensor2D): Pass {
    return this.#scheme.quantize(x, this.books, {})
  }

  /** The peer's loss: sum(quantized·upstream) + β·‖q − e‖² (mean), where q is constant unless it is trained. */
  gradients(x: tf.Tensor2D, upstream: tf.Tensor2D): { x: Float32Array; books: Float32Array[] } {
    const inputs: Tensors = { x }
    for (const [i, book] of this.books.entries()) inputs[`book${i}`] = book
    const { gradients } = passThrough(inputs, tf.scalar(1), ({ x: e, ...books }) => {
      const { output, commitment, codebookLoss } = this.#scheme.quantize(
        e as tf.Tensor2D,
        Object.values(books) as tf.Tensor2D[],
        {},
      )
      const auxiliary = codebookLoss ? tf.add(commitment, codebookLoss) : commitment
      return tf.add(tf.sum(tf.mul(output, upstream)), tf.mul(auxiliary, this.beta))
    })
    const { x: gradX, ...books } = gradients
    return { x: gradX ?? new Float32Array(), books: Object.values(books) }
  }

  /** `indices` [N] per book: those of the file, so that a tie does not part the ways. */
  move(pass: Pass, indices: readonly number[][], gradients: readonly Float32Array[]): void {
    this.#states = this.#states.map((state, i) => {
      const answer = pass.answers[i]
      if (!answer) throw new Error(`codebook ${i} was not asked.`)
      if (this.rate === null)
        return updateState(state, answer.searched, tf.tensor1d(indices[i] ?? [], 'int32'), this.config)
      const gradient = tf.tensor2d(gradients[i] ?? [], state.codebook.shape)
      return { ...state, codebook: tf.sub(state.codebook, tf.mul(gradient, this.rate)) }
    })
  }

  restart(books: readonly Matrix[]): void {
    this.#states = this.#states.map((state, i) => ({ ...state, codebook: tf.tensor2d(books[i] ?? []) }))
  }

  /** β·mean((e − q)²) of each codebook. */
  commitments(pass: Pass): number[] {
    return pass.answers.map(({ searched, indices }, i) => {
      const codes = tf.gather(this.books[i] ?? searched, indices)
      return (tf.mean(tf.squaredDifference(searched, codes)).dataSync()[0] ?? NaN) * this.beta
    })
  }
}

/** Numbers of the rows that are no ties. */
function rowsWithout(tied: ReadonlySet<number>, values: ArrayLike<number>, width: number): number[] {
  return Array.from(values).filter((_, i) => !tied.has(Math.floor(i / width)))
}

/** Compares one step and moves the codebooks; `before` are the file's codebooks. Are the indices equal? */
function compareStep(layer: Layer, step: LayerStep, before: readonly Matrix[], errors: Errors): boolean {
  const x = tf.tensor2d(step.x)
  const upstream = tf.tensor2d(step.upstream)
  const expected = step.indices.map((index) => [index].flat())
  const pass = layer.pass(x)
  const found = pass.answers.map(({ indices }) => [...indices.dataSync()])
  const { equal, tied } = compareIndices(found, expected, step.x, before, layer.config.distance)
  const gradients = layer.gradients(x, upstream)
  const width = layer.config.codeDim
  const addRows = (quantity: string, values: ArrayLike<number>, rows: Matrix): void =>
    errors.add(quantity, rowsWithout(tied, values, width), rowsWithout(tied, rows.flat(), width))
  addRows('quantized', pass.output.dataSync(), step.quantized)
  addRows('gradX', gradients.x, step.grad_x)
  if (step.commit_loss !== undefined)
    errors.add('commitLoss', tf.mul(pass.commitment, layer.beta).dataSync(), [step.commit_loss])
  if (step.commit_losses) errors.add('commitLosses', layer.commitments(pass), step.commit_losses)
  if (step.grad_codebook && tied.size === 0)
    errors.add('gradCodebook', gradients.books[0] ?? [], step.grad_codebook.flat())
  const byBook = before.map((_, book) => expected.map((indices) => indices[book] ?? -1))
  layer.move(pass, byBook, gradients.books)
  const after = step.codebooks_after ?? (step.codebook_after ? [step.codebook_after] : null)
  if (!after) return equal
  if (layer.rate !== null && tied.size > 0) layer.restart(after)
  else {
    const quantity = step.codebooks_after ? 'codebooksAfter' : 'codebookAfter'
    errors.add(
      quantity,
      layer.books.flatMap((book) => [...book.dataSync()]),
      after.flat(2),
    )
  }
  return equal
}

export function verifyLayer(run: LayerRun): VerifiedCase {
  const { name, dim } = run
  const config = configOf(run)
  if (typeof config === 'string') return notSupported(name, dim, config)
  const rate = run.optimizer === undefined ? null : sgdRate(run.optimizer)
  if (run.optimizer !== undefined && rate === null)
    return notSupported(name, dim, `the optimizer “${run.optimizer}”`)
  const start = run.codebooks_initial ?? (run.codebook_initial ? [run.codebook_initial] : null)
  if (!start || start.length !== (run.depth ?? 1))
    return notSupported(name, dim, 'it does not start with one codebook for each level')
  const errors = new Errors()
  const equal: boolean[] = []
  tf.tidy(() => {
    const layer = new Layer(config, run.commitment_weight, start, rate)
    let before: readonly Matrix[] = start
    for (const step of run.steps) {
      equal.push(compareStep(layer, step, before, errors))
      before = step.codebooks_after ?? (step.codebook_after ? [step.codebook_after] : before)
    }
  })
  const indicesEqual = equal.every(Boolean)
  const pass = indicesEqual && errors.within(layerBound)
  return { name, dim, quantities: errors.toQuantities(), indicesEqual, pass }
}
