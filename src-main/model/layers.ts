// Runs a network's layers on tensors. Pure: parameters come in by name, nothing is kept.
import * as tf from '@tensorflow/tfjs-core'
import { softmax } from '#shared/quantize/softmax'
import { composedGroupNorm, groupNorm, relu, silu } from './ops'
import { attentionParts, type Layer } from './spec'

export type Parameters = ReadonlyMap<string, tf.Tensor>

const groupNormEpsilon = 1e-6
const layerNormEpsilon = 1e-5

function parameter<T extends tf.Tensor = tf.Tensor4D>(parameters: Parameters, name: string): T {
  const tensor = parameters.get(name)
  if (!tensor) throw new RangeError(`The model has no tensor “${name}”.`)
  return tensor as T
}

/** PyTorch's padding of 1 (3×3, or 4×4 with stride 2) is TensorFlow's `same` on the sizes used here. */
function convolve(p: Parameters, name: string, x: tf.Tensor4D, stride: number): tf.Tensor4D {
  const y = tf.conv2d(x, parameter(p, `${name}.weight`), stride, 'same')
  return tf.add(y, parameter(p, `${name}.bias`))
}

/** Group normalisation, and what follows it at once. */
function normalise(p: Parameters, name: string, x: tf.Tensor4D, silu = false): tf.Tensor4D {
  const [count, height, width, channels] = x.shape
  const flat = tf.reshape<tf.Rank.R3>(x, [count, height * width, channels])
  const scale = parameter(p, `${name}.weight`)
  const shift = parameter(p, `${name}.bias`)
  const options = { groups: groupCount(channels), epsilon: groupNormEpsilon, silu }
  return tf.reshape(groupNorm(flat, scale, shift, options), x.shape)
}

/** The largest number of groups up to 32 that divides the channels; min(32, c) for the paper's widths. */
export function groupCount(channels: number): number {
  let groups = Math.min(32, channels)
  while (channels % groups !== 0) groups--
  return groups
}

function attend(p: Parameters, layer: { name: string; channels: number }, x: tf.Tensor4D): tf.Tensor4D {
  const { norm, query, key, value, out } = attentionParts(layer)
  const [count, height, width, channels] = x.shape
  const h = normalise(p, norm.name, x)
  const project = (part: { name: string }): tf.Tensor3D =>
    tf.reshape(convolve(p, part.name, h, 1), [count, height * width, channels])
  const scores = tf.matMul(project(query), project(key), false, true) // [N, HW, HW]
  const weights = softmax(tf.mul(scores, channels ** -0.5))
  const mixed = tf.reshape(tf.matMul(weights, project(value)), x.shape)
  return tf.add(x, convolve(p, out.name, mixed as tf.Tensor4D, 1))
}

function runLayer(p: Parameters, layer: Layer, x: tf.Tensor4D): tf.Tensor4D {
  const [count, height, width, channels] = x.shape
  switch (layer.kind) {
    case 'conv':
      return convolve(p, layer.name, x, layer.stride)
    case 'conv-transpose': {
      const shape: [number, number, number, number] = [count, 2 * height, 2 * width, layer.out]
      const y = tf.conv2dTranspose(x, parameter(p, `${layer.name}.weight`), shape, 2, 'same')
      return tf.add(y, parameter(p, `${layer.name}.bias`))
    }
    case 'relu':
      return relu(x)
    case 'silu':
      return silu(x)
    case 'group-norm':
      return normalise(p, layer.name, x)
    case 'layer-norm': {
      const rows = tf.reshape<tf.Rank.R3>(x, [count * height * width, 1, channels])
      const scale = parameter(p, `${layer.name}.weight`)
      const shift = parameter(p, `${layer.name}.bias`)
      return tf.reshape(
        composedGroupNorm(rows, scale, shift, { groups: 1, epsilon: layerNormEpsilon }),
        x.shape,
      )
    }
    case 'upsample':
      return tf.image.resizeNearestNeighbor(x, [2 * height, 2 * width])
    case 'residual': {
      const skip = layer.skip ? runLayer(p, layer.skip, x) : x
      return tf.add(skip, runLayers(p, layer.body, x))
    }
    case 'attention':
      return attend(p, layer, x)
  }
}

/** x [N, H, W, C] through the layers, in order. */
export function runLayers(p: Parameters, layers: readonly Layer[], x: tf.Tensor4D): tf.Tensor4D {
  return layers.reduce((h, layer, i) => {
    if (layer.kind === 'silu' && layers[i - 1]?.kind === 'group-norm') return h
    if (layer.kind === 'group-norm') return normalise(p, layer.name, h, layers[i + 1]?.kind === 'silu')
    return runLayer(p, layer, h)
  }, x)
}
