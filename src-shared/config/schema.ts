// The run configuration: one schema gives types, defaults, ranges, the form, the command line's `--set`, the
// file format and the diff. Field names are public and stable (`docs/configuration.md`).
import { z } from 'zod'

export const estimatorIds = [
  'rotation',
  'ste',
  'rotation_unscaled',
  'rotation_inverse_error',
  'rotation_adaptive',
  'reflection',
  'nsvq',
  'diveq',
  'sf_diveq',
  'gumbel',
  'hessian',
  'exact_gradient',
] as const

export const quantizerIds = [
  'vq',
  'residual',
  'grouped',
  'simvq',
  'ibq',
  'optvq',
  'soft_convex',
  'fsq',
  'lfq',
] as const

export interface FieldMeta {
  label: string
  help: string
  unit?: string
  group: 'data' | 'codebook' | 'network' | 'optimizer' | 'run'
  /** Shown at once; the rest is in the Advanced drawer. */
  essential?: boolean
  /** May change when a run is resumed. */
  resumable?: boolean
}

const field = <T extends z.ZodType>(schema: T, meta: FieldMeta): T => schema.meta({ ...meta })

export const configSchema = z.strictObject({
  imageSize: field(z.int().min(8).max(512).multipleOf(4).default(64), {
    label: 'Image size',
    unit: 'px',
    group: 'data',
    essential: true,
    help: 'Width and height of the square images the model sees. Larger shows more detail and takes longer.',
  }),
  resize: field(z.enum(['crop', 'pad', 'stretch']).default('crop'), {
    label: 'Fit',
    group: 'data',
    help: 'How an image becomes square: crop cuts the longer side, pad adds borders, stretch distorts.',
  }),
  background: field(
    z
      .string()
      .regex(/^#[0-9a-f]{6}$/i, 'a colour like #ffffff')
      .default('#ffffff'),
    {
      label: 'Background',
      group: 'data',
      help: 'Colour under transparent pixels and around padded images.',
    },
  ),
  channelsIn: field(z.union([z.literal(3), z.literal(1)]).default(3), {
    label: 'Colour channels',
    group: 'data',
    help: '3 for colour, 1 for greyscale.',
  }),
  flip: field(z.boolean().default(false), {
    label: 'Random flip',
    group: 'data',
    help: 'Mirrors half of the training images left to right, at random.',
  }),
  randomCrop: field(z.boolean().default(false), {
    label: 'Random crop',
    group: 'data',
    help: 'Shifts each training image by up to one eighth of its size at random, so that position matters less.',
  }),
  validationFraction: field(z.number().min(0).max(0.5).default(0.1), {
    label: 'Validation share',
    group: 'data',
    help: 'Share of the images kept out of training to measure on. Chosen by file names, so every run measures on the same ones.',
  }),
  sampling: field(z.enum(['epoch', 'replacement']).default('epoch'), {
    label: 'Batch sampling',
    group: 'data',
    help: 'epoch: every image once before any repeats. replacement: each batch is drawn anew from all images.',
  }),
  batchSize: field(z.int().min(1).max(1024).default(32), {
    label: 'Batch size',
    unit: 'images',
    group: 'optimizer',
    essential: true,
    help: 'Images per training step. Larger is steadier and needs more memory.',
  }),
  steps: field(z.int().min(1).max(10_000_000).default(2000), {
    label: 'Steps',
    unit: 'steps',
    group: 'run',
    essential: true,
    resumable: true,
    help: 'How many batches to train on. You can stop at any time and keep the result.',
  }),
  seed: field(z.int().min(0).max(2_147_483_647).default(0), {
    label: 'Seed',
    group: 'run',
    help: 'Start of all randomness. The same seed repeats the same run.',
  }),
  estimator: field(z.enum(estimatorIds).default('rotation'), {
    label: 'Gradient estimator',
    group: 'codebook',
    essential: true,
    help: 'How the gradient gets past the quantizer. rotation: rotated and rescaled from code to encoder output (the rotation trick). ste: copied unchanged (straight-through estimator). The others are relatives and baselines, see docs/estimators.md.',
  }),
  gammaBound: field(z.number().min(0).max(1000).default(10), {
    label: 'Largest scale γ',
    group: 'codebook',
    help: 'Bound on γ = 1/(8‖q−e‖²), which explodes where a vector meets its code. 0 leaves it unbounded.',
  }),
  noiseVariance: field(z.number().min(0).max(10).default(1e-3), {
    label: 'Noise variance',
    group: 'codebook',
    help: 'Variance of the noise that jitters the direction from vector to code.',
  }),
  temperature: field(z.number().min(0.01).max(100).default(1), {
    label: 'Temperature',
    group: 'codebook',
    help: 'How soft the mixture of codes is at the first step.',
  }),
  finalTemperature: field(
    z
      .number()
      .min(0.01)
      .max(100)
      .default(1 / 16),
    {
      label: 'Final temperature',
      group: 'codebook',
      help: 'The temperature at the last step; it falls exponentially.',
    },
  ),
  hessianStep: field(z.number().min(1e-4).max(1).default(0.1), {
    label: 'Finite difference step',
    group: 'codebook',
    help: 'How far from the code towards the vector the curvature is measured, as a share of the way.',
  }),
  quantizer: field(z.enum(quantizerIds).default('vq'), {
    label: 'Quantizer',
    group: 'codebook',
    help: 'vq: one codebook. residual: several, each for what the last one left over. grouped: one per part of the vector. simvq: a frozen codebook behind a trained map. ibq: all codes trained through their scores. optvq: codes shared out evenly while training. soft_convex: a mixture of codes, not a discrete code. fsq, lfq: a fixed grid, no codebook.',
  }),
  quantizerDepth: field(z.int().min(1).max(8).default(2), {
    label: 'Depth',
    unit: 'codebooks',
    group: 'codebook',
    help: 'Codebooks of the residual quantizer: codes per patch.',
  }),
  groups: field(z.int().min(1).max(32).default(2), {
    label: 'Groups',
    unit: 'codebooks',
    group: 'codebook',
    help: 'Parts that each vector is cut into, with a codebook each: codes per patch.',
  }),
  fsqLevels: field(z.array(z.int().min(2).max(64)).min(1).max(16).default([8, 5, 5, 5]), {
    label: 'Levels',
    group: 'codebook',
    help: 'How many values each number of a code can take; their product is the number of codes.',
  }),
  softConvexLambda: field(z.number().min(1e-3).max(1000).default(0.1), {
    label: 'Regularisation λ',
    group: 'codebook',
    help: 'How strongly a mixture is pulled towards the nearest code alone.',
  }),
  sinkhornIterations: field(z.int().min(1).max(100).default(5), {
    label: 'Sinkhorn rounds',
    group: 'codebook',
    help: 'How often codes and vectors are balanced against each other in a step.',
  }),
  sinkhornSharpness: field(z.number().min(0.1).max(100).default(10), {
    label: 'Sinkhorn sharpness',
    group: 'codebook',
    help: 'How much distance counts against even use: larger stays closer to the nearest code.',
  }),
  distance: field(z.enum(['euclidean', 'cosine']).default('euclidean'), {
    label: 'Distance',
    group: 'codebook',
    help: 'What "nearest code" means: distance in space, or only the angle between vectors.',
  }),
  codebookSize: field(z.int().min(2).max(65_536).default(512), {
    label: 'Codebook size',
    unit: 'codes',
    group: 'codebook',
    essential: true,
    help: 'How many codes the model may choose from for each patch.',
  }),
  codeDim: field(z.int().min(1).max(1024).default(32), {
    label: 'Code dimension',
    unit: 'numbers',
    group: 'codebook',
    essential: true,
    help: 'How many numbers each code holds.',
  }),
  codebookUpdate: field(z.enum(['ema', 'gradient']).default('ema'), {
    label: 'Codebook update',
    group: 'codebook',
    help: 'ema: codes follow the running mean of the vectors that chose them. gradient: codes are trained by the optimizer with a codebook loss.',
  }),
  emaDecay: field(z.number().min(0).max(0.9999).default(0.8), {
    label: 'EMA decay',
    group: 'codebook',
    help: 'How slowly the running mean moves: 0.8 follows quickly, 0.99 slowly. Only used with ema.',
  }),
  codebookInit: field(z.enum(['kaiming', 'kmeans', 'data']).default('kaiming'), {
    label: 'Codebook start',
    group: 'codebook',
    help: 'kaiming: small random codes. kmeans: centres of clusters of about 32 vectors a code, which takes a while with many codes. data: vectors of the first batch.',
  }),
  deadCodeThreshold: field(z.number().min(0).max(100).default(0), {
    label: 'Revive dead codes below',
    unit: 'uses per batch',
    group: 'codebook',
    help: 'A code whose running use falls below this is moved elsewhere. 0 leaves dead codes alone.',
  }),
  reviveFrom: field(z.enum(['batch', 'usage']).default('batch'), {
    label: 'Revive from',
    group: 'codebook',
    help: 'Where a dead code goes. batch: onto a random vector of the batch. usage: beside a code drawn in proportion to its use in the batch.',
  }),
  orthogonalWeight: field(z.number().min(0).max(1000).default(0), {
    label: 'Orthogonality weight',
    group: 'codebook',
    help: 'How strongly codes are pushed to point in different directions. 0 switches it off.',
  }),
  entropyWeight: field(z.number().min(0).max(100).default(0), {
    label: 'Entropy weight',
    group: 'codebook',
    help: 'How strongly each vector is pushed to be sure of its code, and all codes to be used. 0 switches it off.',
  }),
  entropyTemperature: field(z.number().min(1e-4).max(100).default(0.1), {
    label: 'Entropy temperature',
    group: 'codebook',
    help: 'Softness of the distances that the entropy is taken of.',
  }),
  latentDim: field(z.int().min(0).max(1024).default(0), {
    label: 'Latent dimension',
    unit: 'numbers',
    group: 'codebook',
    help: 'Numbers per patch outside the quantizer, joined to the code dimension by learned maps. 0: the same, no maps.',
  }),
  commitmentWeight: field(z.number().min(0).max(100).default(1), {
    label: 'Commitment weight β',
    group: 'codebook',
    help: 'How strongly encoder outputs are pulled towards their code.',
  }),
  network: field(z.enum(['quick', 'cnn']).default('quick'), {
    label: 'Network',
    group: 'network',
    help: 'quick: a small convolutional network, 4 pixels per token. cnn: the network of the rotation trick paper.',
  }),
  channels: field(z.int().min(8).max(512).multipleOf(4).default(128), {
    label: 'Channels',
    group: 'network',
    help: 'Width of the network: base channels of the paper network, hidden channels of the quick one.',
  }),
  channelMultipliers: field(z.array(z.int().min(1).max(16)).min(1).max(6).default([1, 2, 4]), {
    label: 'Channel multipliers',
    group: 'network',
    help: 'One number per resolution of the paper network; each further level halves the resolution.',
  }),
  residualBlocks: field(z.int().min(0).max(8).default(2), {
    label: 'Residual blocks',
    group: 'network',
    help: 'Residual blocks per level (paper) or in all (quick).',
  }),
  attention: field(z.array(z.int().min(1).max(512)).max(6).default([]), {
    label: 'Attention at',
    unit: 'px',
    group: 'network',
    help: 'Resolutions of the paper network that get an attention layer, besides the one in the middle.',
  }),
  optimizer: field(z.enum(['adamw', 'adam']).default('adamw'), {
    label: 'Optimizer',
    group: 'optimizer',
    help: 'adamw decays weights apart from the gradient; adam does not decay.',
  }),
  learningRate: field(z.number().min(1e-8).max(1).default(3e-4), {
    label: 'Learning rate',
    group: 'optimizer',
    resumable: true,
    help: 'Size of each update. Too large diverges, too small learns slowly.',
  }),
  betas: field(
    z.tuple([z.number().min(0).max(0.9999), z.number().min(0).max(0.99999)]).default([0.9, 0.99]),
    {
      label: 'Adam betas',
      group: 'optimizer',
      help: 'Memory of the optimizer for the gradient and its square.',
    },
  ),
  weightDecay: field(z.number().min(0).max(1).default(0.01), {
    label: 'Weight decay',
    group: 'optimizer',
    resumable: true,
    help: 'Pulls weights towards zero a little at each step.',
  }),
  warmupSteps: field(z.int().min(0).max(1_000_000).default(0), {
    label: 'Warm-up',
    unit: 'steps',
    group: 'optimizer',
    help: 'Steps over which the learning rate rises from zero.',
  }),
  schedule: field(z.enum(['constant', 'cosine', 'linear']).default('constant'), {
    label: 'Schedule',
    group: 'optimizer',
    help: 'How the learning rate falls after the warm-up.',
  }),
  finalLearningRate: field(z.number().min(0).max(1).default(0), {
    label: 'Final learning rate',
    group: 'optimizer',
    help: 'Where a falling schedule ends, at the last step.',
  }),
  gradientClip: field(z.number().min(0).max(1000).default(1), {
    label: 'Gradient clip',
    group: 'optimizer',
    help: 'Largest allowed length of the whole gradient; longer ones are scaled down. 0 switches it off.',
  }),
  precision: field(z.enum(['float32', 'bfloat16']).default('float32'), {
    label: 'Precision',
    group: 'run',
    help: 'float32, or bfloat16 for the convolutions: about twice as fast on processors made for it, and slightly less exact.',
  }),
  checkpointEvery: field(z.int().min(1).max(1_000_000).default(250), {
    label: 'Checkpoint every',
    unit: 'steps',
    group: 'run',
    resumable: true,
    help: 'How often the run is saved. After a crash at most this many steps are lost.',
  }),
  evaluateEvery: field(z.int().min(1).max(1_000_000).default(100), {
    label: 'Evaluate every',
    unit: 'steps',
    group: 'run',
    resumable: true,
    help: 'How often the validation images are measured and reconstructed.',
  }),
})

export type RunConfig = z.output<typeof configSchema>
export type ConfigInput = z.input<typeof configSchema>
export type ConfigField = keyof RunConfig

/** Every default. */
export const defaultConfig: RunConfig = configSchema.parse({})
