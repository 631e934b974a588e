// The paper's convolutional network (VQGAN's), as its VQ-VAE experiments use it. Tensor names follow diffusers'
// VQModel below `encoder.` and `decoder.`.
import { latentWidth } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import { conv, type Layer, type NetworkSpec } from '../spec'

const silu: Layer = { kind: 'silu' }
const norm = (name: string, channels: number): Layer => ({ kind: 'group-norm', name, channels })

function residual(name: string, from: number, to: number): Layer {
  const body = [
    norm(`${name}.norm1`, from),
    silu,
    conv(`${name}.conv1`, from, to, 3),
    norm(`${name}.norm2`, to),
    silu,
    conv(`${name}.conv2`, to, to, 3),
  ]
  return {
    kind: 'residual',
    name,
    body,
    skip: from === to ? null : conv(`${name}.conv_shortcut`, from, to, 1),
  }
}

function attention(name: string, channels: number): Layer {
  return { kind: 'attention', name, channels }
}

function middle(part: string, channels: number): Layer[] {
  const name = `${part}.mid_block`
  return [
    residual(`${name}.resnets.0`, channels, channels),
    attention(`${name}.attentions.0`, channels),
    residual(`${name}.resnets.1`, channels, channels),
  ]
}

/**
 * Channels between the network and the linear map to D. The paper's five-level network goes through twice its base
 * channels (256); its others go to D at once, and the map is the identity.
 */
export function latentChannels(config: RunConfig): number {
  return config.channelMultipliers.length >= 5 ? 2 * config.channels : latentWidth(config)
}

function encoderLayers(config: RunConfig): Layer[] {
  const { channels, channelsIn, channelMultipliers, residualBlocks } = config
  const codeDim = latentWidth(config)
  const layers: Layer[] = [conv('encoder.conv_in', channelsIn, channels, 3)]
  let width = channels
  channelMultipliers.forEach((multiplier, level) => {
    const name = `encoder.down_blocks.${level}`
    for (let i = 0; i < residualBlocks; i++) {
      layers.push(residual(`${name}.resnets.${i}`, width, channels * multiplier))
      width = channels * multiplier
      if (config.attention.includes(config.imageSize / 2 ** level))
        layers.push(attention(`${name}.attentions.${i}`, width))
    }
    if (level < channelMultipliers.length - 1)
      layers.push(conv(`${name}.downsamplers.0.conv`, width, width, 3, 2))
  })
  const latent = latentChannels(config)
  layers.push(...middle('encoder', width))
  layers.push(norm('encoder.conv_norm_out', width), silu, conv('encoder.conv_out', width, latent, 3))
  if (latent !== codeDim) layers.push(conv('encoder.quant_conv', latent, codeDim, 1))
  if (config.distance === 'cosine')
    layers.push({ kind: 'layer-norm', name: 'encoder.quant_norm', channels: codeDim })
  return layers
}

function decoderLayers(config: RunConfig): Layer[] {
  const { channels, channelsIn, channelMultipliers, residualBlocks } = config
  const codeDim = latentWidth(config)
  const latent = latentChannels(config)
  // With no residual block at all the encoder never widens, but the decoder's levels have one block more.
  const deepest = residualBlocks === 0 ? 1 : (channelMultipliers.at(-1) ?? 1)
  let width = channels * deepest
  const layers: Layer[] = []
  if (latent !== codeDim) layers.push(conv('decoder.post_quant_conv', codeDim, latent, 1))
  layers.push(conv('decoder.conv_in', latent, width, 3), ...middle('decoder', width))
  channelMultipliers.toReversed().forEach((multiplier, i) => {
    const name = `decoder.up_blocks.${i}`
    const level = channelMultipliers.length - 1 - i
    for (let j = 0; j <= residualBlocks; j++) {
      layers.push(residual(`${name}.resnets.${j}`, width, channels * multiplier))
      width = channels * multiplier
      if (config.attention.includes(config.imageSize / 2 ** level))
        layers.push(attention(`${name}.attentions.${j}`, width))
    }
    if (level > 0) layers.push({ kind: 'upsample' }, conv(`${name}.upsamplers.0.conv`, width, width, 3))
  })
  layers.push(norm('decoder.conv_norm_out', width), silu, conv('decoder.conv_out', width, channelsIn, 3))
  return layers
}

export function cnnNetwork(config: RunConfig): NetworkSpec {
  const side = config.imageSize / 2 ** (config.channelMultipliers.length - 1)
  return { encoder: encoderLayers(config), decoder: decoderLayers(config), tokens: [side, side] }
}
