// The VQ-VAE: its tensors, and what can be asked of it outside training. Every method returns new tensors for the
// caller to dispose; none of them changes the model except `initialiseCodebook`.
import * as tf from '@tensorflow/tfjs-core'
import { latentWidth } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import { describeNetwork, type LayerDescription } from './describe'
import { runLayers } from './layers'
import { networkOf } from './networks/index'
import { createQuantizer, type Quantizer } from './quantize/create'
import type { VectorStream } from './quantize/vector-stream'
import { createRandom, type Random } from './random'
import { tidied } from './tidied'
import { parametersOf, type NetworkSpec } from './spec'

export interface Nearest {
  /** int32, the number of each code: [N, H, W], or [N, H, W, B] where there are B codebooks (book · K + index). */
  indices: tf.Tensor
  /** [N, H, W, D]: the codes, summed or joined where there are several. */
  codes: tf.Tensor4D
  /** [N, H, W, L]: what the decoder takes; the codes themselves but for projections and mixtures. */
  output: tf.Tensor4D
  /** [N, H, W, D]: the encoder's output in the space of the search (normalised for cosine). */
  searched: tf.Tensor4D
  /** [N, H, W]: squared distance of each vector to what became of it, in that space. */
  error: tf.Tensor3D
  /** Shaped as `indices`: squared distance of what each codebook was asked to its code. */
  bookErrors: tf.Tensor
}

export interface VqModel {
  config: RunConfig
  network: NetworkSpec
  tokens: [number, number]
  quantizer: Quantizer
  /** Trained by the optimiser: `encoder.*`, `decoder.*`, `quantizer.*`, and `codebook` where it is trained by gradient. */
  trainable: ReadonlyMap<string, tf.Variable>
  /** Not trained by the optimiser: `codebook`, running counts and sums, and what is frozen. */
  state: ReadonlyMap<string, tf.Variable>
  /** Numbers in encoder, decoder and codebook. */
  parameterCount: number
  /** Images [N, S, S, C] in [−1, 1] → [N, H, W, L]. */
  encode(x: tf.Tensor4D): tf.Tensor4D
  nearest(z: tf.Tensor4D): Nearest
  /** [N, H, W, L] → images [N, S, S, C]; not clipped to [−1, 1]. */
  decode(codes: tf.Tensor4D): tf.Tensor4D
  /** [B·K, Db]: every code by its number. Call inside `tf.tidy`; may be the model's own variable: do not dispose. */
  codebook(): tf.Tensor2D
  /** Numbers of codes, int32 [N·H·W·B], position by position → [N, H, W, L], for the decoder. */
  lookUp(codes: tf.Tensor1D): tf.Tensor4D
  /** Each code int32 [N] by itself, at every position: other codebooks stay out → [N, H, W, L]. */
  alone(codes: readonly number[]): tf.Tensor4D
  /** The encodings of images [N, S, S, C], position by position → [N·H·W, L]. */
  vectors(x: tf.Tensor4D): tf.Tensor2D
  /**
   * Starts the codebook from encodings, as `vectors` makes them, where the configuration asks for `kmeans` or `data`;
   * otherwise does nothing. Call once, before the first step of a new run.
   */
  initialiseCodebook(encodings: VectorStream, random: Random): Promise<void>
  layers(): LayerDescription[]
  dispose(): void
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
  const networks = networkVariables(network, random)
  const quantizer = createQuantizer(config, random)
  const trainable = new Map([...networks, ...quantizer.trainable])
  const { state, books, size } = quantizer
  const [rows, columns] = network.tokens
  const width = latentWidth(config)
  const flatten = (z: tf.Tensor4D): tf.Tensor2D => tf.reshape(z, [-1, width])
  const grid = (x: tf.Tensor): tf.Tensor4D => tf.reshape(x, [-1, rows, columns, x.shape.at(-1) ?? 1])

  /** One tensor [N·H·W] per codebook → [N, H, W] or [N, H, W, B]. */
  const together = (perBook: readonly tf.Tensor1D[]): tf.Tensor =>
    perBook.length === 1
      ? tf.reshape(perBook[0] ?? tf.scalar(0), [-1, rows, columns])
      : grid(tf.stack([...perBook], 1))

  const model: VqModel = {
    config,
    network,
    quantizer,
    tokens: network.tokens,
    trainable,
    state,
    parameterCount: describeNetwork(config).parameters,
    encode: (x) => tf.tidy(() => runLayers(trainable, network.encoder, x)),
    decode: (codes) => tf.tidy(() => runLayers(trainable, network.decoder, codes)),
    codebook: () => quantizer.codes(),
    nearest: (z) =>
      tidied(() => {
        const found = quantizer.find(flatten(z))
        return {
          indices: together(codeNumbers(found.indices, size)),
          codes: grid(found.codes),
          output: grid(found.output),
          searched: grid(found.searched),
          error: tf.reshape<tf.Rank.R3>(found.error, [-1, rows, columns]),
          bookErrors: together(found.bookErrors),
        }
      }),
    lookUp: (codes) =>
      tf.tidy(() => {
        const perBook = tf.unstack(tf.reshape<tf.Rank.R2>(codes, [-1, books]), 1) as tf.Tensor1D[]
        const within = perBook.map((numbers, book) =>
          tf.sub<tf.Tensor1D>(numbers, tf.scalar(book * size, 'int32')),
        )
        return grid(quantizer.lookUp(within))
      }),
    alone: (codes) =>
      tf.tidy(() => {
        const vectors = codes.map((code) => {
          const index = tf.tensor1d([code % size], 'int32')
          const own = Math.floor(code / size)
          return quantizer.lookUp(Array.from({ length: books }, (_, book) => (book === own ? index : null)))
        })
        const everywhere = tf.expandDims(tf.concat(vectors), 1) // [N, 1, L]
        return grid(tf.tile(everywhere, [1, rows * columns, 1]))
      }),
    vectors: (x) => tf.tidy(() => flatten(model.encode(x))),
    initialiseCodebook: async (encodings, drawFrom) => {
      if (config.codebookInit !== 'kaiming') await quantizer.initialise(encodings, drawFrom)
    },
    layers: () => describeNetwork(config).layers,
    dispose: () => {
      for (const owned of [...trainable.values(), ...state.values()]) owned.dispose()
    },
  }
  return model
}

/** Indices within each codebook → numbers of codes, book · K + index. */
export function codeNumbers(indices: readonly tf.Tensor1D[], size: number): tf.Tensor1D[] {
  return indices.map((index, book) => (book === 0 ? index : tf.add(index, tf.scalar(book * size, 'int32'))))
}
