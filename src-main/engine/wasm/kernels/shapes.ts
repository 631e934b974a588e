// Where a 2-D convolution's windows lie, worked out once for both gradient kernels. Channels-last only: nothing in
// Gyre uses another layout.
import * as tf from '@tensorflow/tfjs-core'

/** What tfjs hands a convolution gradient kernel beside its tensors. */
export interface ConvAttributes {
  strides: [number, number] | number
  pad: 'valid' | 'same' | number | [[number, number], [number, number], [number, number], [number, number]]
  dataFormat: 'NHWC' | 'NCHW'
  dimRoundingMode?: 'floor' | 'round' | 'ceil'
}

type Shape4D = [number, number, number, number]

/** Strides, padding and sizes of the convolution with these input and filter shapes. */
export function convolutionShapes(inputShape: Shape4D, filterShape: Shape4D, attributes: ConvAttributes) {
  if (attributes.dataFormat === 'NCHW')
    throw new Error('The WASM engine computes channels-last convolutions only.')
  const { strides, pad, dimRoundingMode } = attributes
  return tf.backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad, dimRoundingMode, false)
}

/**
 * The input with its padding written out as zeros, and without the rows and columns that no window reaches: a `valid`
 * convolution over it has exactly the intended output.
 */
export function padToWindows(x: tf.Tensor4D, info: tf.backend_util.Conv2DInfo): tf.Tensor4D {
  const { top, left } = info.padInfo
  const reachH = (info.outHeight - 1) * info.strideHeight + info.filterHeight
  const reachW = (info.outWidth - 1) * info.strideWidth + info.filterWidth
  const below = Math.max(0, reachH - top - info.inHeight)
  const right = Math.max(0, reachW - left - info.inWidth)
  const padded = tf.pad(x, [
    [0, 0],
    [top, below],
    [left, right],
    [0, 0],
  ])
  return tf.slice(padded, [0, 0, 0, 0], [info.batchSize, reachH, reachW, info.inChannels]) // [N, H, W, C]
}
