// Which network a configuration asks for. Pure: no tfjs.
import type { RunConfig } from '#shared/config/schema'
import { GyreError } from '#shared/contract/errors'
import type { NetworkSpec } from '../spec'
import { cnnNetwork } from './cnn'
import { quickNetwork } from './quick'

/** Throws `invalid-input` where the image size cannot be halved as often as the network does. */
export function networkOf(config: RunConfig): NetworkSpec {
  const network = config.network === 'quick' ? quickNetwork(config) : cnnNetwork(config)
  if (!network.tokens.every(Number.isInteger))
    throw new GyreError(
      'invalid-input',
      `Images of ${config.imageSize} px cannot be halved ${config.channelMultipliers.length - 1} times.`,
      'Choose another image size or fewer channel multipliers.',
    )
  return network
}
