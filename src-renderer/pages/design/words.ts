// Words for the values of the choice fields, and for the groups of the Advanced drawer. Pure.
import { estimatorIds, quantizerIds, type FieldInfo, type RunConfig } from '#shared/config/index'

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

const estimatorNotes: Record<RunConfig['estimator'], string> = {
  rotation: 'The gradient is rotated and rescaled from the code to the encoder output.',
  ste: 'The gradient is copied unchanged.',
  rotation_unscaled: 'The rotation trick without its change of length.',
  rotation_inverse_error: 'Rotated; the nearer the vector is to its code, the longer the gradient.',
  rotation_adaptive: 'Rotated; each code measures by how much the gradient is rescaled.',
  reflection: 'The gradient is mirrored instead of rotated: a baseline that does worse.',
  nsvq: 'While training, noise as long as the error takes the place of the code.',
  diveq: 'A step of the error’s length along a jittered direction; trains the codes by itself.',
  sf_diveq: 'DiVeQ between two neighbouring codes: not a discrete code.',
  gumbel: 'While training, a noisy mixture of all codes that hardens step by step.',
  hessian: 'The gradient is corrected by the curvature of the loss: a slow baseline.',
  exact_gradient: 'The decoder’s gradient at the encoder output itself: a slow baseline.',
}
const quantizerNotes: Record<RunConfig['quantizer'], string> = {
  vq: 'Each vector becomes the nearest code of one codebook.',
  residual: 'Several codebooks, each for what the ones before left over.',
  grouped: 'Each part of the vector has a codebook of its own.',
  simvq: 'A frozen codebook behind a trained map, so that all codes move together.',
  ibq: 'The code with the highest score; all codes are trained through their scores.',
  optvq: 'While training, codes are shared out evenly among the vectors.',
  soft_convex: 'A mixture of codes: not a discrete code.',
  fsq: 'Each number is rounded to one of a few levels; no codebook.',
  lfq: 'The sign of each number; no codebook.',
}

/** One line on what the chosen estimator or quantizer does; other fields say it in their help. */
export function choiceNote(key: string, value: unknown): string | undefined {
  const notes: Record<string, string> | undefined =
    key === 'estimator' ? estimatorNotes : key === 'quantizer' ? quantizerNotes : undefined
  return typeof value === 'string' ? notes?.[value] : undefined
}

/** A field's help, with its choices named as the form names them: `vq: one codebook` → `One codebook: one codebook`. */
export function helpInWords({ help, choices, kind }: Pick<FieldInfo, 'help' | 'choices' | 'kind'>): string {
  if (kind !== 'choice') return help
  const known = new Set(choices?.map(String))
  // A choice is explained as `id: …`, or several as `id, id: …`.
  return help.replace(/\w+(?=(?:, \w+)*: )/g, (word) => (known.has(word) ? valueWord(word) : word))
}

const ids: readonly string[] = [...estimatorIds, ...quantizerIds]
/** Ids that are no English words. */
const codeWords = new RegExp(`\\b(?:${ids.filter((id) => /[_q]|^ste$/.test(id)).join('|')})\\b`, 'g')

/** What the rules say of a design, with estimators and quantizers named as the form names them. */
export function messageInWords(message: string): string {
  const [first = ''] = message.split(' ')
  const rest = message.slice(first.length).replace(codeWords, (id) => {
    const word = valueWord(id)
    return word.includes(' ') ? `“${word}”` : word
  })
  return (ids.includes(first) ? valueWord(first) : first) + rest
}

export const groups: readonly { id: FieldInfo['group']; title: string }[] = [
  { id: 'data', title: 'Images' },
  { id: 'codebook', title: 'Codebook' },
  { id: 'network', title: 'Network' },
  { id: 'optimizer', title: 'Optimizer' },
  { id: 'run', title: 'Run' },
]
