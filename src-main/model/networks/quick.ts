// The small network of the preset "Quick look": two strided convolutions down, two transposed ones up, a few residual
// blocks in between; four pixels a token.
import { latentWidth } from '#shared/config/quantizers'
import type { RunConfig } from '#shared/config/schema'
import { conv, type Layer, type NetworkSpec } from '../spec'

const relu: Layer = { kind: 'relu' }

function residualBlocks(part: string, channels: number, count: number): Layer[] {
  return Array.from({ length: count }, (_, i): Layer => {
    const name = `${part}.residual.${i}`
    const narrow = Math.max(1, channels / 4)
    const body = [
      relu,
      conv(`${name}.conv1`, channels, narrow, 3),
      relu,
      conv(`${name}.conv2`, narrow, channels, 1),
    ]
    return { kind: 'residual', name, body, skip: null }
  })
}

export function quickNetwork(config: RunConfig): NetworkSpec {
  const { channels, channelsIn, residualBlocks: count, imageSize } = config
  const width = latentWidth(config)
  const half = channels / 2
  const encoder: Layer[] = [
    conv('encoder.conv1', channelsIn, half, 4, 2),
    relu,
    conv('encoder.conv2', half, channels, 4, 2),
    relu,
    conv('encoder.conv3', channels, channels, 3),
    ...residualBlocks('encoder', channels, count),
    relu,
    conv('encoder.conv_out', channels, width, 1),
  ]
  const decoder: Layer[] = [
    conv('decoder.conv_in', width, channels, 3),
    ...residualBlocks('decoder', channels, count),
    relu,
    { kind: 'conv-transpose', name: 'decoder.up1', in: channels, out: half },
    relu,
    { kind: 'conv-transpose', name: 'decoder.up2', in: half, out: channelsIn },
  ]
  return { encoder, decoder, tokens: [imageSize / 4, imageSize / 4] }
}
