// One sentence for every word that a newcomer may not know. Shown by `BaseTerm`.
export const glossary = {
  'VQ-VAE':
    'A network that squeezes an image into a small grid of numbered codes and rebuilds the image from them.',
  codebook: 'The list of codes the model has learnt; every patch of an image is replaced by one of them.',
  code: 'One entry of the codebook: a short list of numbers that stands for a kind of patch.',
  token: 'The number of the code that stands for one patch of an image.',
  'token grid': 'How many tokens an image becomes, in rows and columns.',
  'compression ratio': 'How many times fewer bits the tokens need than the pixels of the image.',
  parameters: 'The numbers that training adjusts; more can learn more and take longer.',
  'rotation trick':
    'Training signal passes the codebook by rotating and rescaling it from the code to the encoder output, so it keeps the geometry.',
  'straight-through':
    'Training signal passes the codebook unchanged, as if the code and the encoder output were the same.',
  estimator: 'How the training signal gets past the step that picks a code, which itself has no slope.',
  encoder: 'The first half of the network: turns an image into a grid of vectors.',
  decoder: 'The second half of the network: turns a grid of codes back into an image.',
  quantizer: 'The middle of the network: replaces each vector by the nearest code.',
  mse: 'Mean squared error: average squared difference between original and reconstruction, with pixels from −1 to 1; lower is better.',
  PSNR: 'Peak signal-to-noise ratio in decibels: the same error on a scale where higher is better; about 30 dB looks close.',
  usage: 'Share of the codebook that is used at least once.',
  'usage per 256': 'Share of the codebook used by 256 images, averaged: the figure of the paper.',
  perplexity: 'As if this many codes were used equally often; low means that a few codes do all the work.',
  'quantization error': 'Squared distance between what the encoder said and the code that replaced it.',
  'commitment loss': 'Pulls the encoder towards the codes it chose, so that both stay together.',
  'codebook loss':
    'Pulls codes towards the vectors that chose them; only when the optimizer trains the codebook.',
  'dead code': 'A code that no image chose during the last training window.',
  reconstruction: 'The image rebuilt from its tokens.',
  validation: 'Images kept out of training, to measure honestly.',
  step: 'One update of the model from one batch of images.',
  epoch: 'One pass over all training images.',
  batch: 'The images of one step.',
  'learning rate': 'Size of each update: too large breaks training, too small is slow.',
  'gradient norm': 'Length of the whole training signal; sudden peaks mean trouble.',
  checkpoint: 'A saved state of the model, from which training can go on and which can be exported.',
  engine: 'The software that does the arithmetic, on the processor or on a graphics card.',
  eager: 'One operation after the other, as a program says them; how engines run that can’t compile.',
  compiled:
    'The whole step is recorded once and then runs as one piece, which is faster; how runs train where the engine can.',
  bfloat16:
    'Numbers of 16 bits with fewer digits, in convolutions only: faster on processors made for it, nearly as exact.',
  seed: 'Start of all randomness; the same seed repeats the same run.',
  tensors: 'Blocks of numbers the trainer holds in memory; the count should stay flat during training.',
  'waiting for data': 'Share of the training time spent waiting for images to be read.',
  mode: 'How a file stores colour, for example sRGB, CMYK or greyscale.',
  preset: 'A set of values that work together, to start from.',
  safetensors: 'A plain file format for weights, which other tools can read.',
  library: 'The folder where Gyre keeps datasets and runs.',
} as const satisfies Record<string, string>

export type GlossaryKey = keyof typeof glossary
