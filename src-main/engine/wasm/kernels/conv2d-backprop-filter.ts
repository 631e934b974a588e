// Gradient of a convolution with respect to its filter, which tfjs's WASM backend lacks: itself a convolution, with
// the batch in the place of the channels. Must not be used with another backend than WASM.
import * as tf from '@tensorflow/tfjs-core'
import { convolutionShapes, padToWindows, type ConvAttributes } from './shapes'

interface Attributes extends ConvAttributes {
  filterShape: [number, number, number, number]
}

/**
 * dW[k, l, c, o] = Σ over n, i, j of x[n, s·i + k − p, s·j + l − p, c] · dy[n, i, j, o].
 * Seen as a convolution: the images are x's channels, their channels the batch, the filter is dy, dilated by the
 * stride of the forward convolution.
 */
function backpropFilter(x: tf.Tensor4D, dy: tf.Tensor4D, attributes: Attributes): tf.Tensor4D {
  const { filterShape } = attributes
  const info = convolutionShapes(x.shape, filterShape, attributes)
  const [height, width, channels, outputs] = filterShape
  const plain =
    info.strideHeight * info.strideWidth === 1 &&
    info.outHeight === info.inHeight &&
    info.outWidth === info.inWidth
  if (height * width === 1 && plain) {
    // A 1×1 convolution is a matrix product, and so is its gradient, eight times faster.
    const product = tf.matMul(tf.reshape(x, [-1, channels]), tf.reshape(dy, [-1, outputs]), true) // [C, O]
    return tf.reshape(product, filterShape)
  }
  const used = padToWindows(x, info) // [N, H, W, C]
  const images = tf.transpose(used, [3, 1, 2, 0]) // [C, H, W, N]
  const filter = tf.transpose(dy, [1, 2, 0, 3]) // [H', W', N, O]
  const gradient = tf.conv2d(images, filter, 1, 'valid', 'NHWC', [info.strideHeight, info.strideWidth]) // [C, k, l, O]
  return tf.transpose(gradient, [1, 2, 0, 3]) // [k, l, C, O]
}

export const conv2DBackpropFilter: tf.KernelConfig = {
  kernelName: tf.Conv2DBackpropFilter,
  backendName: 'wasm',
  kernelFunc: ({ inputs, attrs }) => {
    const { x, dy } = inputs as unknown as { x: tf.Tensor4D; dy: tf.Tensor4D }
    return tf.tidy(() => backpropFilter(x, dy, attrs as unknown as Attributes))
  },
}
