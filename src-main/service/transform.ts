// Which transform of the images a run needs.
import type { RunConfig } from '#shared/config/index'
import type { Transform } from '#shared/contract/common'

export function transformOf(config: RunConfig): Transform {
  const { imageSize, resize, background, channelsIn } = config
  return { imageSize, resize, background, channelsIn }
}
