// Dawn, the WebGPU implementation of Chromium, as npm's `webgpu` brings it to Node: the few parts of it that are used
// here, as types, and how it is loaded. Loading it is native code that looks for drivers: see `probe` for the safe way.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

export interface GpuBuffer {
  readonly size: number
  readonly mapState: 'unmapped' | 'pending' | 'mapped'
  mapAsync(mode: number): Promise<void>
  getMappedRange(): ArrayBuffer
  unmap(): void
}

export interface GpuAdapterInfo {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  readonly description: string
  readonly isFallbackAdapter: boolean
}

interface GpuErrorEvent {
  readonly error: { readonly message: string }
  /** Without it, Dawn prints the error. */
  preventDefault(): void
}

export interface GpuDevice {
  readonly lost: Promise<{ reason: string; message: string }>
  readonly limits: Readonly<Record<string, number>>
  addEventListener(type: 'uncapturederror', listener: (event: GpuErrorEvent) => void): void
  destroy(): void
}

export interface GpuAdapter {
  readonly info: GpuAdapterInfo
  readonly features: ReadonlySet<string>
  readonly limits: Readonly<Record<string, number>>
  requestDevice(descriptor: { requiredLimits: Record<string, number> }): Promise<GpuDevice>
}

export interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<GpuAdapter | null>
}

interface Dawn {
  create: (options: string[]) => Gpu
  globals: Readonly<Record<string, unknown>>
}

/** The address of npm's `webgpu`, for `import`. */
export const dawnAddress = (): string => pathToFileURL(nodeRequire.resolve('webgpu')).href

/** Loads Dawn into this process. Its classes become globals, where tfjs looks for them. */
export async function loadDawn(): Promise<Gpu> {
  const { create, globals } = (await import(/* @vite-ignore */ dawnAddress())) as Dawn
  Object.assign(globalThis, globals)
  return create([])
}
