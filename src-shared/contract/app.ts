// What belongs to the app as a whole: jobs, engines, settings, and the host that shows the window.
import { z } from 'zod'
import { engineCheck, engineId, engineWish, identifier, job } from './common'
import { call, event } from './define'
import { engineUsed } from './files'

export const jobs = {
  list: call(z.void(), z.array(job)),
  cancel: call(z.object({ id: identifier }), z.void()),
  /** Every change of a job, at most 10 a second each. */
  onChange: event(job),
} as const

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

export const engines = {
  list: call(z.void(), z.array(engineStatus)),
  /** Which engine a wish leads to, and why. */
  chosen: call(z.object({ wish: engineWish }), engineUsed),
  install: call(z.object({ id: engineId }), z.object({ jobId: identifier })),
  /** Deletes an installed engine. Refused with `busy` while something computes on it. */
  remove: call(z.object({ id: engineId }), engineStatus),
  test: call(z.object({ id: engineId }), z.object({ pass: z.boolean(), checks: z.array(engineCheck) })),
} as const

/** Where training runs: in a thread of the process that shows the window, or in a process of its own. */
export const trainerIsolations = ['thread', 'process'] as const
export type TrainerIsolation = (typeof trainerIsolations)[number]

export const settingsShape = z.object({
  appearance: z.enum(['system', 'light', 'dark']).default('system'),
  engine: engineWish.default('auto'),
  trainerIsolation: z.enum(trainerIsolations).default('thread'),
  welcomeDismissed: z.boolean().default(false),
})
export type Settings = z.infer<typeof settingsShape>

export const settings = {
  get: call(z.void(), settingsShape),
  set: call(settingsShape.partial(), settingsShape),
  onChange: event(settingsShape),
} as const

export const hostInfo = z.object({
  kind: z.enum(['desktop', 'browser']),
  platform: z.string(),
  version: z.string(),
  libraryPath: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
  canPickFolder: z.boolean(),
  canReveal: z.boolean(),
})
export type HostInfo = z.infer<typeof hostInfo>

export const systemLoad = z.object({
  /** 100 is one core fully used. */
  cpuPercent: z.number(),
  rssBytes: z.number(),
  /** Tensors alive in the trainer; null while none is loaded. */
  tensors: z.int().nullable(),
  engine: engineUsed.nullable(),
  dataWaitFraction: z.number().nullable(),
})
export type SystemLoad = z.infer<typeof systemLoad>

/** What differs between desktop and browser; the window asks this topic and nothing else about where it runs. */
export const host = {
  info: call(z.void(), hostInfo),
  /** A folder dialog of the desktop; null when it was closed. */
  pickFolder: call(z.void(), z.object({ path: z.string() }).nullable()),
  /** Shows a folder of the library in the desktop's file manager. */
  reveal: call(z.object({ path: z.string().max(4096) }), z.void()),
  onLoad: event(systemLoad),
} as const
