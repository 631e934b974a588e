// Which graphics card an adapter stands for, and whether it is one: a software adapter computes on the processor,
// slower than every other engine, and is never taken unless asked for.
import type { GpuAdapterInfo } from './dawn'

export type AdapterInfo = Pick<GpuAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'> & {
  isFallbackAdapter: boolean
}

/** Names under which processors pose as graphics cards: Chromium's, Mesa's, Microsoft's. */
const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b/i

/** True for an adapter that computes on the processor. */
export function isSoftware(info: AdapterInfo): boolean {
  const words = [info.vendor, info.architecture, info.device, info.description].join(' ')
  return info.isFallbackAdapter || softwareNames.test(words)
}

/** Drivers end what they say in a dash where they have nothing more to say. */
const tidy = (words: string): string => words.trim().replace(/[\s,;:–-]+$/, '')

/** The card's name for people, with its driver where that is known. */
export function adapterName(info: AdapterInfo): string {
  const name = tidy(info.device || `${info.vendor} ${info.architecture}`) || 'Graphics card'
  const description = tidy(info.description)
  return description && description !== name ? `${name} (${description})` : name
}

/** Whether a software adapter is asked for: by the option, else by `GYRE_SOFTWARE_GPU=1`. */
export const softwareWanted = (option?: boolean, env = process.env): boolean =>
  option ?? env.GYRE_SOFTWARE_GPU === '1'

export const noCard =
  'No graphics card was found that WebGPU can use (with a Vulkan, Metal or Direct3D 12 driver).'

/** Why a software adapter is not taken. */
export const softwareOnly = (info: AdapterInfo): string =>
  `There is no graphics card for WebGPU, only ${adapterName(info)}, which computes on the processor and is slower than WASM.`
