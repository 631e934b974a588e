// Gradient of a convolution with respect to its input, and with it the transposed convolution. tfjs's WASM backend
// has one, but it is naive: ten times slower than a forward convolution of the same size. This one is such a
// convolution. Must not be used with another backend than WASM.
import * as tf from '@tensorflow/tfjs-core'
import { convolutionShapes, type ConvAttributes } from './shapes'

interface Attributes extends ConvAttributes {
  inputShape: [number, number, number, number]
}

/**
 * The filter, split by stride: with stride s, input row i = s·m + r − p is reached from output rows m − j through the
 * filter rows s·j + r. So each of the s·s remainders r has its own small filter over dy, and one stride-1 convolution
 * computes all of them as extra channels.
 * @param filter [k, l, C, O]
 * @returns [J, L, O, s·s·C], flipped for use in a convolution
 */
function splitFilter(filter: tf.Tensor4D, strideH: number, strideW: number): tf.Tensor4D {
  const [height, width, channels, outputs] = filter.shape
  const stepsH = Math.ceil(height / strideH)
  const stepsW = Math.ceil(width / strideW)
  const whole = tf.pad(filter, [
    [0, stepsH * strideH - height],
    [0, stepsW * strideW - width],
    [0, 0],
    [0, 0],
  ])
  const split = tf.reshape(whole, [stepsH, strideH, stepsW, strideW, channels * outputs]) // [J, s, L, s, C·O]
  const flipped = tf.reverse(split, [0, 2])
  const ordered = tf.transpose(flipped, [0, 2, 1, 3, 4]) // [J, L, s, s, C·O]
  const apart = tf.reshape(ordered, [stepsH * stepsW, strideH * strideW * channels, outputs])
  const swapped = tf.transpose(apart, [0, 2, 1]) // [J·L, O, s·s·C]
  return tf.reshape(swapped, [stepsH, stepsW, outputs, strideH * strideW * channels])
}

/**
 * [N, M, L, s·s·C] → [N, s·M, s·L, C], each pixel's remainders laid out around it. (`depthToSpace` says the same for
 * equal strides, but is fifteen times slower on WASM.)
 */
function interleave(parts: tf.Tensor4D, strideH: number, strideW: number): tf.Tensor4D {
  if (strideH === 1 && strideW === 1) return parts
  const [batch, rows, columns, depth] = parts.shape
  const channels = depth / (strideH * strideW)
  const split = tf.reshape(parts, [batch * rows, columns, strideH, strideW * channels])
  const ordered = tf.transpose(split, [0, 2, 1, 3]) // [N·M, s, L, s·C]
  return tf.reshape(ordered, [batch, rows * strideH, columns * strideW, channels])
}

function backpropInput(dy: tf.Tensor4D, filter: tf.Tensor4D, attributes: Attributes): tf.Tensor4D {
  const { inputShape } = attributes
  const info = convolutionShapes(inputShape, filter.shape, attributes)
  const { strideHeight, strideWidth, padInfo, inHeight, inWidth } = info
  const parts = splitFilter(filter, strideHeight, strideWidth)
  const aroundH = parts.shape[0] - 1
  const aroundW = parts.shape[1] - 1
  const framed = tf.pad(dy, [
    [0, 0],
    [aroundH, aroundH],
    [aroundW, aroundW],
    [0, 0],
  ])
  const all = interleave(tf.conv2d(framed, parts, 1, 'valid'), strideHeight, strideWidth) // padded input's rows
  // Rows that no window reached get zeros; the padding is cut off.
  const below = Math.max(0, padInfo.top + inHeight - all.shape[1])
  const right = Math.max(0, padInfo.left + inWidth - all.shape[2])
  const enough = tf.pad(all, [
    [0, 0],
    [0, below],
    [0, right],
    [0, 0],
  ])
  return tf.slice(enough, [0, padInfo.top, padInfo.left, 0], inputShape) // [N, H, W, C]
}

export const conv2DBackpropInput: tf.KernelConfig = {
  kernelName: tf.Conv2DBackpropInput,
  backendName: 'wasm',
  kernelFunc: ({ inputs, attrs }) => {
    const { dy, filter } = inputs as unknown as { dy: tf.Tensor4D; filter: tf.Tensor4D }
    return tf.tidy(() => backpropInput(dy, filter, attrs as unknown as Attributes))
  },
}
