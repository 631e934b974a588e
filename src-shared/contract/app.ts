// What belongs to the app as a whole: jobs, settings, and the host that shows the window.
import { z } from 'zod'
import { engineWish, identifier, job } from './common'
import { call, event } from './define'
import { engineUsed } from './files'

export const jobs = {
  list: call(z.void(), z.array(job)),
  cancel: call(z.object({ id: identifier }), z.void()),
  /** Every change of a job, at most 10 a second each. */
  onChange: event(job),
} as const

/** Where training runs: in a thread of the process that shows the window, or in a process of its own. */
export const trainerIsolations = ['thread', 'process'] as const
export type TrainerIsolation = (typeof trainerIsolations)[number]

const choices = z.object({
  appearance: z.enum(['system', 'light', 'dark']),
  engine: engineWish,
  trainerIsolation: z.enum(trainerIsolations),
  welcomeDismissed: z.boolean(),
})

const { appearance, engine, trainerIsolation, welcomeDismissed } = choices.shape
export const settingsShape = z.object({
  appearance: appearance.default('system'),
  engine: engine.default('auto'),
  trainerIsolation: trainerIsolation.default('thread'),
  welcomeDismissed: welcomeDismissed.default(false),
})
export type Settings = z.infer<typeof settingsShape>

export const settings = {
  get: call(z.void(), settingsShape),
  /** Changes what is given. Without defaults: those would take the place of what is not. */
  set: call(choices.partial(), settingsShape),
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
