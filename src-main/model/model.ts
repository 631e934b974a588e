// The VQ-VAE: its tensors, and what can be asked of it outside training. Every method returns new tensors for the
// caller to dispose; none of them changes the model except `initialiseCodebook`.
import * as tf from '@tensorflow/tfjs-core'
import type { RunConfig } from '#shared/config/schema'
import { describeNetwork, type LayerDescription } from './describe'
import { runLayers } from './layers'
import { networkOf } from './networks/index'
import { kaimingCodes, onCodeSpace, startState, type CodebookState } from './quantize/codebook'
import { dataCodes, kmeansCodes } from './quantize/initial-codes'
import { toSearchSpace } from './quantize/quantizer'
import { nearestCodes } from './quantize/search'
import { createRandom, type Random } from './random'
import { tidied } from './tidied'
import { parametersOf, type NetworkSpec } from './spec'

export interface Nearest {
  /** int32 [N, H, W] */
  indices: tf.Tensor3D
  /** [N, H, W, D] */
  codes: tf.Tensor4D
  /** [N, H, W, D]: the encoder's output in the space of the search (normalised for cosine). */
  searched: tf.Tensor4D
  /** [N, H, W]: squared distance of each vector to its code, in that space. */
  error: tf.Tensor3D
}

export interface VqModel {
  config: RunConfig
  network: NetworkSpec
  tokens: [number, number]
  /** Trained by the optimiser: `encoder.*`, `decoder.*`, and `codebook` where it is trained by gradient. */
  trainable: ReadonlyMap<string, tf.Variable>
  /** Not trained by the optimiser: `codebook`, `ema.sums` (with EMA) and `ema.counts` (with EMA or revival). */
  state: ReadonlyMap<string, tf.Variable>
  /** Numbers in encoder, decoder and codebook. */
  parameterCount: number
  /** Images [N, S, S, C] in [−1, 1] → [N, H, W, D]. */
  encode(x: tf.Tensor4D): tf.Tensor4D
  nearest(z: tf.Tensor4D): Nearest
  /** [N, H, W, D] → images [N, S, S, C]; not clipped to [−1, 1]. */
  decode(codes: tf.Tensor4D): tf.Tensor4D
  /** [K, D]: the model's own variable; do not dispose. */
  codebook(): tf.Tensor2D
  /**
   * Starts the codebook from the encodings of these batches, where the configuration asks for `kmeans` or `data`;
   * otherwise does nothing. Call once, before the first step of a new run.
   */
  initialiseCodebook(batches: readonly tf.Tensor4D[], random: Random): void
  layers(): LayerDescription[]
  dispose(): void
}

/** The codebook's variables as the pure functions of `quantize/codebook` see them. */
export function codebookState(model: Pick<VqModel, 'trainable' | 'state'>): CodebookState {
  const codebook = (model.state.get('codebook') ?? model.trainable.get('codebook')) as tf.Tensor2D | undefined
  if (!codebook) throw new RangeError('The model has no codebook.')
  const counts = model.state.get('ema.counts') as tf.Tensor1D | undefined
  const sums = model.state.get('ema.sums') as tf.Tensor2D | undefined
  return { codebook, ...(counts && { counts }), ...(sums && { sums }) }
}

/** A state's tensors by the names of the model's variables. */
export function stateEntries({ codebook, counts, sums }: CodebookState): [string, tf.Tensor][] {
  return [
    ['codebook', codebook],
    ...(counts ? [['ema.counts', counts] as [string, tf.Tensor]] : []),
    ...(sums ? [['ema.sums', sums] as [string, tf.Tensor]] : []),
  ]
}

function networkVariables(network: NetworkSpec, random: Random): Map<string, tf.Variable> {
  const variables = new Map<string, tf.Variable>()
  for (const { name, shape, init } of parametersOf([...network.encoder, ...network.decoder])) {
    const size = shape.reduce((a, b) => a * b, 1)
    const values =
      'bound' in init
        ? Float32Array.from({ length: size }, () => (2 * random.uniform() - 1) * init.bound)
        : new Float32Array(size).fill(init.value)
    variables.set(
      name,
      tf.tidy(() => tf.variable(tf.tensor(values, shape))),
    )
  }
  return variables
}

/** A new model with weights from its own seeded generator: the same numbers on every engine. */
export function createModel(config: RunConfig, seed: number): VqModel {
  const network = networkOf(config)
  const random = createRandom(seed)
  const trainable = networkVariables(network, random)
  const state = new Map<string, tf.Variable>()
  tf.tidy(() => {
    const codes = kaimingCodes(config.codebookSize, config.codeDim, random)
    const start = startState(tf.tensor2d(codes, [config.codebookSize, config.codeDim]), config)
    for (const [name, tensor] of stateEntries(start)) {
      const home = name === 'codebook' && config.codebookUpdate === 'gradient' ? trainable : state
      home.set(name, tf.variable(tensor))
    }
  })
  const variable = (name: string): tf.Variable | undefined => state.get(name) ?? trainable.get(name)
  const codebook = (): tf.Tensor2D => codebookState({ trainable, state }).codebook
  const flatten = (z: tf.Tensor4D): tf.Tensor2D => tf.reshape(z, [-1, config.codeDim])

  const model: VqModel = {
    config,
    network,
    tokens: network.tokens,
    trainable,
    state,
    parameterCount: describeNetwork(config).parameters,
    encode: (x) => tf.tidy(() => runLayers(trainable, network.encoder, x)),
    decode: (codes) => tf.tidy(() => runLayers(trainable, network.decoder, codes)),
    codebook,
    nearest: (z) =>
      tidied(() => {
        const searched = toSearchSpace(flatten(z), config.distance)
        const indices = nearestCodes(searched, codebook())
        const codes = tf.gather(codebook(), indices)
        const error = tf.sum(tf.squaredDifference(searched, codes), 1)
        const [count, height, width] = z.shape
        const grid: [number, number, number] = [count, height, width]
        const shape: [number, number, number, number] = [...grid, config.codeDim]
        return {
          indices: tf.reshape<tf.Rank.R3>(indices, grid),
          codes: tf.reshape<tf.Rank.R4>(codes, shape),
          searched: tf.reshape<tf.Rank.R4>(searched, shape),
          error: tf.reshape<tf.Rank.R3>(error, grid),
        }
      }),
    initialiseCodebook: (batches, batchRandom) => {
      if (config.codebookInit === 'kaiming' || batches.length === 0) return
      tf.tidy(() => {
        const encoded = batches.map((x) => toSearchSpace(flatten(model.encode(x)), config.distance))
        const vectors = tf.concat(encoded)
        const codes =
          config.codebookInit === 'kmeans'
            ? kmeansCodes(vectors, config, batchRandom)
            : dataCodes(vectors, config.codebookSize, batchRandom)
        const start = startState(onCodeSpace(codes, config.distance), config)
        for (const [name, tensor] of stateEntries(start)) variable(name)?.assign(tensor)
      })
    },
    layers: () => describeNetwork(config).layers,
    dispose: () => {
      for (const owned of [...trainable.values(), ...state.values()]) owned.dispose()
    },
  }
  return model
}
