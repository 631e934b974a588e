// What a configuration's model looks like and weighs, without making it. Imports no tfjs: the service's preflight
// and the Design page use it before any engine is loaded.
import { bookDim, hasCodebook, latentWidth, totalCodes } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import { networkOf } from './networks/index'
import { countParameters, transposeKernel, type Layer } from './spec'

export interface LayerDescription {
  part: 'encoder' | 'quantizer' | 'decoder'
  name: string
  /** Of one image's output: [height, width, channels]. */
  shape: number[]
}

export interface NetworkDescription {
  layers: LayerDescription[]
  /** Encoder, decoder and quantizer together. */
  parameters: number
  encoderParameters: number
  decoderParameters: number
  /** Of the quantizer: codes and projections. */
  codebookParameters: number
  tokens: [number, number]
}

interface Row {
  name: string
  size: number
  channels: number
}

/** One row per layer that a person would name: activations and norms belong to the layer after them. */
function rows(layers: readonly Layer[], size: number, channels: number): Row[] {
  const found: Row[] = []
  let height = size
  let width = channels
  const push = (name: string): void => void found.push({ name, size: height, channels: width })
  for (const layer of layers) {
    switch (layer.kind) {
      case 'conv':
        height /= layer.stride
        width = layer.out
        push(`Convolution ${layer.kernel}×${layer.kernel}${layer.stride === 2 ? ', halves the size' : ''}`)
        break
      case 'conv-transpose':
        height *= 2
        width = layer.out
        push(`Transposed convolution ${transposeKernel}×${transposeKernel}, doubles the size`)
        break
      case 'upsample':
        height *= 2
        push('Nearest neighbour, doubles the size')
        break
      case 'residual':
        width = rows(layer.body, height, width).at(-1)?.channels ?? width
        push('Residual block')
        break
      case 'attention':
        push('Self-attention')
        break
      case 'layer-norm':
        push('Layer norm')
        break
      case 'relu':
      case 'silu':
      case 'group-norm':
        break
    }
  }
  return found
}

/** What the quantizer does, in a few words. */
function quantizerName(config: RunConfig): string {
  const { quantizer, codebookSize, quantizerDepth, groups, fsqLevels, codeDim } = config
  const metric = config.distance === 'cosine' ? 'cosine' : 'Euclidean'
  switch (quantizer) {
    case 'vq':
      return `Nearest of ${codebookSize} codes, ${metric}`
    case 'residual':
      return `${quantizerDepth} codes from ${codebookSize} each, added up`
    case 'grouped':
      return `${groups} codes from ${codebookSize} each, joined, ${metric}`
    case 'simvq':
      return `Nearest of ${codebookSize} mapped codes`
    case 'ibq':
      return `Best scored of ${codebookSize} codes`
    case 'optvq':
      return `Nearest of ${codebookSize} codes, ${metric}, shared out evenly in training`
    case 'soft_convex':
      return `Mixture of ${codebookSize} codes (not a discrete code)`
    case 'fsq':
      return `Grid of ${fsqLevels.join('×')} levels`
    case 'lfq':
      return `Signs of ${codeDim} numbers`
  }
}

/** Numbers that training moves between the networks: codes, or what they are made of, and projections. */
function quantizerParameters(config: RunConfig): number {
  const { codeDim, latentDim } = config
  const projections = latentDim === 0 ? 0 : 2 * latentDim * codeDim + latentDim + codeDim
  if (!hasCodebook(config)) return projections
  if (config.quantizer === 'simvq') return codeDim * codeDim + projections
  return totalCodes(config) * bookDim(config) + projections
}

/** Layers with their output shapes, and parameter counts. Throws as `networkOf` does. */
export function describeNetwork(config: RunConfig): NetworkDescription {
  const { encoder, decoder, tokens } = networkOf(config)
  const [height, width] = tokens
  const describe = (part: 'encoder' | 'decoder', layers: Row[]): LayerDescription[] =>
    layers.map(({ name, size, channels }) => ({ part, name, shape: [size, size, channels] }))
  const quantizer: LayerDescription = {
    part: 'quantizer',
    name: quantizerName(config),
    shape: [height, width, config.codeDim],
  }
  const encoderParameters = countParameters(encoder)
  const decoderParameters = countParameters(decoder)
  const codebookParameters = quantizerParameters(config)
  return {
    layers: [
      ...describe('encoder', rows(encoder, config.imageSize, config.channelsIn)),
      quantizer,
      ...describe('decoder', rows(decoder, height, latentWidth(config))),
    ],
    parameters: encoderParameters + decoderParameters + codebookParameters,
    encoderParameters,
    decoderParameters,
    codebookParameters,
    tokens,
  }
}
