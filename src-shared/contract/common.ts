// Shapes that several topics share.
import { z } from 'zod'

/** A name made by Gyre: safe as a folder name, never a path. */
export const identifier = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,79}$/, 'not an id')

export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not bytes')
export const ints = z.custom<Int32Array>((value) => value instanceof Int32Array, 'not an Int32Array')
export const floats = z.custom<Float32Array>((value) => value instanceof Float32Array, 'not a Float32Array')

/** `last`, `best` or a step. */
export const checkpointRef = z.union([z.literal('last'), z.literal('best'), z.int().min(0)])
export type CheckpointRef = z.infer<typeof checkpointRef>

/** Every engine, best first: the order in which `auto` looks for one that runs here. */
export const engineIds = ['tensorflow-cuda', 'webgpu', 'tensorflow-cpu', 'wasm'] as const
export const engineId = z.enum(engineIds)
export type EngineId = z.infer<typeof engineId>
export const engineWish = z.enum(['auto', ...engineIds])
export type EngineWish = z.infer<typeof engineWish>

/** One comparison of an engine's numbers with known ones; `error` is relative. */
export const engineCheck = z.object({ name: z.string(), error: z.number(), pass: z.boolean() })
export type EngineCheck = z.infer<typeof engineCheck>

/** How images become the square input of a model. */
export const transform = z.object({
  imageSize: z.int().min(8).max(1024),
  resize: z.enum(['crop', 'pad', 'stretch']),
  /** Colour under transparent pixels and around padded ones, `#rrggbb`. */
  background: z.string().regex(/^#[0-9a-f]{6}$/i),
  channelsIn: z.union([z.literal(1), z.literal(3)]),
})
export type Transform = z.infer<typeof transform>

/** The metrics of `docs/metrics.md`, over a validation split. */
export const validationMetrics = z.object({
  mse: z.number(),
  psnr: z.number(),
  usage: z.number(),
  usagePer256: z.number(),
  perplexity: z.number(),
  quantizationError: z.number(),
  commitmentLoss: z.number(),
  images: z.int(),
})
export type ValidationMetrics = z.infer<typeof validationMetrics>

/** Long work that outlives the page that asked for it. */
export const job = z.object({
  id: identifier,
  kind: z.enum(['import', 'prepare', 'train', 'inspect', 'export', 'engine-install', 'bench']),
  title: z.string(),
  /** What is happening now, in words. */
  phase: z.string(),
  done: z.number(),
  /** 0 while it is not known. */
  total: z.number(),
  unit: z.string(),
  startedAt: z.string(),
  status: z.enum(['running', 'done', 'failed', 'cancelled']),
  message: z.string().optional(),
  hint: z.string().optional(),
  /** What it works on or made. */
  datasetId: z.string().optional(),
  runId: z.string().optional(),
  engineId: engineId.optional(),
})
export type Job = z.infer<typeof job>
