// Where a 2-D convolution's window lies, worked out once for both gradient kernels. Channels-last only: nothing in
// Gyre uses another layout.
import { backend_util } from '@tensorflow/tfjs-core'

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
  return backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad, dimRoundingMode, false)
}
