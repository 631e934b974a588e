// The contract between the service and the trainer (a worker thread or a process): the same RPC over a
// worker port. Paths are absolute and were resolved by the service; only plain data crosses.
import { z } from 'zod'
import { configSchema } from '../config/schema'
import { stepKind, timedSteps } from './bench'
import { bytes, checkpointRef, engineCheck, engineWish, validationMetrics } from './common'
import { call, event } from './define'
import { engineUsed, metricsRecord, runStatuses } from './files'
import { vectorKind, verification } from './verify'

/** A packed dataset: folder of uint8 shards with pack.json (see `src-main/data/pack`). */
const packed = z.string()

const outcome = z.object({
  status: z.enum(['finished', 'stopped', 'diverged']),
  step: z.int(),
  validation: validationMetrics.nullable(),
})
export type TrainOutcome = z.infer<typeof outcome>

export const trainerContract = {
  trainer: {
    /** Loads the engine once; later calls must wish for the same. */
    load: call(z.object({ engine: engineWish }), engineUsed),
    /** Trains the run in `runFolder` (run.json is there) from its last checkpoint, or from the start. */
    train: call(
      z.object({
        runFolder: z.string(),
        packed,
        fromRun: z.object({ runFolder: z.string(), checkpoint: checkpointRef }).optional(),
      }),
      outcome,
    ),
    /** Both return once the loop has noticed; `stop` lets `train` write a checkpoint and return. */
    pause: call(z.void(), z.void()),
    resume: call(z.void(), z.void()),
    stop: call(z.void(), z.void()),
    evaluate: call(
      z.object({
        runFolder: z.string(),
        checkpoint: checkpointRef,
        packed,
        split: z.enum(['validation', 'all']),
      }),
      z.object({ step: z.int(), validation: validationMetrics }),
    ),
    /** Encodes the images and writes `<out>/inspection.json` + arrays (see docs/format.md). */
    inspect: call(
      z.object({
        runFolder: z.string(),
        checkpoint: checkpointRef,
        packed,
        split: z.enum(['train', 'all']),
        nearest: z.int().min(1).max(64),
        out: z.string(),
      }),
      z.object({ step: z.int(), images: z.int() }),
    ),
    /** RGB tiles of decoded codes, `size`×`size` each. */
    decodeCodes: call(
      z.object({ runFolder: z.string(), checkpoint: checkpointRef, indices: z.array(z.int().min(0)) }),
      z.object({ size: z.int(), pixels: bytes }),
    ),
    /** tokens and latents of every image of the pack into one safetensors file. */
    encode: call(
      z.object({ runFolder: z.string(), checkpoint: checkpointRef, packed, out: z.string() }),
      z.object({ images: z.int(), tokens: z.array(z.int()), step: z.int() }),
    ),
    /** PNGs of a tokens file, named after its file names. */
    decode: call(
      z.object({ runFolder: z.string(), checkpoint: checkpointRef, tokens: z.string(), out: z.string() }),
      z.object({ images: z.int(), step: z.int() }),
    ),
    /** Compares a few operations of the loaded engine with the same sums in float64. */
    examine: call(z.void(), z.array(engineCheck)),
    /** Runs the reference vectors of a file on the loaded engine. */
    verify: call(z.object({ kind: vectorKind, file: z.string() }), verification),
    /**
     * Takes and times training steps, going on from the last call if it asked for the same. Throws `unsupported` where
     * the loaded engine does not take them in this way.
     */
    bench: call(
      z.object({ config: configSchema, packed, kind: stepKind, steps: z.int().min(1).max(10_000) }),
      timedSteps,
    ),
    /** Tensors alive, for the status bar and the leak test; memory and CPU time of the trainer's whole process. */
    memory: call(
      z.void(),
      z.object({ tensors: z.int(), bytes: z.number(), rssBytes: z.number(), cpuMs: z.number() }),
    ),
    onRecord: event(z.object({ runFolder: z.string(), record: metricsRecord })),
    onStatus: event(z.object({ runFolder: z.string(), status: z.enum(runStatuses), step: z.int() })),
    /** While the codebook of a new run starts from its images: images gone through, over all passes. */
    onStarting: event(z.object({ runFolder: z.string(), done: z.number(), total: z.number() })),
    onProgress: event(z.object({ phase: z.string(), done: z.number(), total: z.number(), unit: z.string() })),
  },
} as const
export type TrainerContract = typeof trainerContract
