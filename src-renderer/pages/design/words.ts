// Words for the values of the choice fields, and for the groups of the Advanced drawer. Pure.
import type { FieldInfo } from '#shared/config/index'

const values: Record<string, string> = {
  crop: 'Crop',
  pad: 'Pad',
  stretch: 'Stretch',
  rotation: 'Rotation trick',
  ste: 'Straight-through',
  rotation_unscaled: 'Rotation, γ = 1',
  rotation_inverse_error: 'Rotation, γ by error',
  rotation_adaptive: 'Rotation, adaptive γ',
  reflection: 'Reflection',
  nsvq: 'NSVQ',
  diveq: 'DiVeQ',
  sf_diveq: 'SF-DiVeQ',
  gumbel: 'Gumbel softmax',
  hessian: 'Hessian',
  exact_gradient: 'Exact gradient',
  vq: 'One codebook',
  residual: 'Residual',
  grouped: 'Grouped',
  simvq: 'SimVQ',
  ibq: 'IBQ',
  optvq: 'OptVQ',
  soft_convex: 'Soft convex',
  fsq: 'FSQ',
  lfq: 'LFQ',
  euclidean: 'Euclidean',
  cosine: 'Cosine',
  ema: 'Running mean (EMA)',
  gradient: 'Gradient',
  kaiming: 'Small random',
  kmeans: 'k-means',
  data: 'First batch',
  quick: 'Quick',
  cnn: 'Paper’s CNN',
  adamw: 'AdamW',
  adam: 'Adam',
  constant: 'Constant',
  linear: 'Linear',
  epoch: 'Epoch by epoch',
  replacement: 'With replacement',
  float32: '32-bit float',
  '1': '1 (greyscale)',
  '3': '3 (colour)',
}

/** A choice's value as people say it. */
export function valueWord(value: string | number): string {
  return values[String(value)] ?? String(value)
}

export const groups: readonly { id: FieldInfo['group']; title: string }[] = [
  { id: 'data', title: 'Images' },
  { id: 'codebook', title: 'Codebook' },
  { id: 'network', title: 'Network' },
  { id: 'optimizer', title: 'Optimizer' },
  { id: 'run', title: 'Run' },
]
