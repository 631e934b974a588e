// The words of the engine layer. Type-only, so that every part of the installer and the backends can share them.
import type * as TensorFlowCore from '@tensorflow/tfjs-core'
import type { EngineStatus } from '#shared/contract/engines'
import type { NativeGraph } from './compile/session'
import type { EngineId } from '#shared/contract/common'
import type { NvidiaDriver } from './tensorflow/nvidia-driver'

export type { EngineId, EngineStatus }

export interface Engine {
  id: EngineId
  name: string
  device: string
  version: string
  /** Why this engine runs, in a sentence. */
  reason: string
  tf: typeof TensorFlowCore
  /** Runs whole graphs; absent where an engine runs single operations only. */
  graphs?: NativeGraph
  /** Removes the backend from tfjs in this thread. Dispose of your tensors first. */
  close(): void
}

export type InstallPhase = 'wait' | 'find' | 'download' | 'verify' | 'unpack' | 'compile' | 'test'

export interface InstallProgress {
  phase: InstallPhase
  done: number
  /** 0 where the end is not known. */
  total: number
  unit: 'bytes' | 'steps'
  message: string
}

export interface EngineOptions {
  /** Folder of installed engines; the person's own by default. */
  home?: string
  /** Folder with the binding compiled beforehand: a packaged app ships it, because a desktop has no compiler. */
  prebuiltBinding?: string
  /** Looks for NVIDIA's driver and cards; for tests. */
  nvidiaDriver?: () => Promise<NvidiaDriver | string>
  /** Let WebGPU take a software adapter, for tests; by default as the variable `GYRE_SOFTWARE_GPU` says. */
  softwareGpu?: boolean
}

export interface RemoveOptions extends EngineOptions {
  signal?: AbortSignal
  /** Asked when nobody can load the engine any more: whether nothing in this process computes on it. By default its notes tell. */
  isIdleHere?: () => boolean
}

export interface InstallOptions extends EngineOptions {
  onProgress?: (progress: InstallProgress) => void
  signal?: AbortSignal
  /** A folder with wheel files that the person already has, under their own names. */
  wheelFolder?: string
  /** A package index to ask instead of the one that pip is set up for. */
  indexUrl?: string
}
