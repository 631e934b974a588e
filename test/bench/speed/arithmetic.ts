// How much a training step has to compute, and how fast the machine can: what bounds a step.
import * as tf from '@tensorflow/tfjs-core'
import { bookDim } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/index'
import { loadEngine } from '#main/engine/index'
import { networkOf } from '#main/model/networks/index'
import { transposeKernel, type Layer } from '#main/model/spec'

interface Counted {
  /** Operations of one image on the way forward, a multiplication and an addition each counted as one. */
  operations: number
  size: number
}

/** Convolutions and products; what is done once for every number counts for nothing beside them. */
function forward(layers: readonly Layer[], imageSize: number): Counted {
  let size = imageSize
  let operations = 0
  for (const layer of layers) {
    switch (layer.kind) {
      case 'conv':
        size /= layer.stride
        operations += 2 * layer.kernel ** 2 * layer.in * layer.out * size ** 2
        break
      case 'conv-transpose':
        operations += 2 * transposeKernel ** 2 * layer.in * layer.out * size ** 2
        size *= 2
        break
      case 'upsample':
        size *= 2
        break
      case 'residual':
        operations += forward(layer.body, size).operations
        if (layer.skip) operations += forward([layer.skip], size).operations
        break
      case 'attention':
        operations += 8 * layer.channels ** 2 * size ** 2 + 4 * layer.channels * size ** 4
        break
      case 'relu':
      case 'silu':
      case 'group-norm':
      case 'layer-norm':
        break
    }
  }
  return { operations, size }
}

/**
 * Operations of a training step: every layer forward, and twice as many back (to its input and to its weights), but for
 * the first layer's input; and the search, forward only.
 */
export function stepOperations(config: RunConfig): number {
  const { encoder, decoder, tokens } = networkOf(config)
  const [first] = encoder
  const layers = forward(encoder, config.imageSize).operations + forward(decoder, tokens[0]).operations
  const toImages = first ? forward([first], config.imageSize).operations : 0
  const search = 2 * tokens[0] * tokens[1] * config.codebookSize * bookDim(config)
  return config.batchSize * (3 * layers - toImages + search)
}

/** Operations a second of a product of two matrices of 2,048×2,048 in float32, the best of ten. */
export async function productRate(): Promise<number> {
  const side = 2048
  const engine = await loadEngine('tensorflow-cpu')
  try {
    const a = tf.randomUniform<tf.Rank.R2>([side, side], -1, 1, 'float32', 1)
    let least = Infinity
    for (let i = 0; i < 10; i++) {
      const startedAt = performance.now()
      const product = tf.matMul(a, a)
      await product.data()
      least = Math.min(least, performance.now() - startedAt)
      product.dispose()
    }
    a.dispose()
    return (2 * side ** 3) / (least / 1000)
  } finally {
    engine.close()
  }
}
