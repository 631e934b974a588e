// The engines: what is there and why, setting one up and taking it away, testing it, measuring it.
import { z } from 'zod'
import { stepBench } from './bench'
import { engineCheck, engineId, engineWish, identifier } from './common'
import { call } from './define'
import { engineUsed } from './files'

export const engineStatus = z.object({
  id: engineId,
  /** It runs here now. */
  available: z.boolean(),
  /** Its files are on this machine: a part of Gyre always is, and an engine may be installed and still not run. */
  installed: z.boolean(),
  /** Gyre can set it up here: it is not installed yet, and nothing that it needs is missing. */
  installable: z.boolean(),
  /** Gyre installed it, so Gyre can remove it. */
  removable: z.boolean(),
  /** What setting it up downloads; 0 for a part of Gyre. */
  downloadBytes: z.number(),
  /** What it takes on disk once installed; 0 for a part of Gyre. */
  diskBytes: z.number(),
  /** Somebody has seen it run on hardware like this. */
  verifiedOnHardware: z.boolean(),
  /** Why it runs here or why it does not, and what to do, in sentences. */
  reason: z.string(),
  /** What computes: a processor or a graphics card; empty where there is none. */
  device: z.string(),
  version: z.string(),
})
export type EngineStatus = z.infer<typeof engineStatus>

/** The folder of an engine that another version of Gyre installed. */
export const olderEngine = z.object({
  /** Of the folder, and nothing more of its path. */
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,79}$/),
  id: engineId,
  version: z.string(),
  sizeBytes: z.number(),
})
export type OlderEngine = z.infer<typeof olderEngine>

export const engineStorage = z.object({
  /** Absolute path of the folder of installed engines. */
  folder: z.string(),
  /** Free on its drive; null where that is not known. */
  freeBytes: z.number().nullable(),
  older: z.array(olderEngine),
})
export type EngineStorage = z.infer<typeof engineStorage>

export const engineTest = z.object({ pass: z.boolean(), checks: z.array(engineCheck) })
export type EngineTest = z.infer<typeof engineTest>

/** A stored measurement of training steps. */
export const engineBenchmark = z.object({
  engine: engineUsed,
  measuredAt: z.string(),
  /** The computer that it was measured on. */
  machine: z.object({
    processor: z.string(),
    threads: z.int(),
    memoryBytes: z.number(),
    platform: z.string(),
  }),
  /** Id of the preset whose steps were taken, with what decides their cost. */
  preset: z.string(),
  batchSize: z.int(),
  imageSize: z.int(),
  steps: stepBench,
})
export type EngineBenchmark = z.infer<typeof engineBenchmark>

export const engines = {
  list: call(z.void(), z.array(engineStatus)),
  /** Which engine a wish leads to, and why. */
  chosen: call(z.object({ wish: engineWish }), engineUsed),
  storage: call(z.void(), engineStorage),
  install: call(z.object({ id: engineId }), z.object({ jobId: identifier })),
  /** Deletes an installed engine. Refused with `busy` while something computes on it. */
  remove: call(z.object({ id: engineId }), engineStatus),
  /** Deletes the folder of an older engine. Refused with `busy` while something computes on it. */
  removeOlder: call(olderEngine.pick({ name: true }), z.void()),
  /** Refused with `busy` while a run trains; ended with `busy` when one begins. */
  test: call(z.object({ id: engineId }), engineTest),
  /** Measures training steps for about a minute. Refused and ended as `test` is. */
  benchmark: call(z.object({ id: engineId }), z.object({ jobId: identifier })),
  /** The latest measurement of each engine that has one. */
  benchmarks: call(z.void(), z.array(engineBenchmark)),
} as const
