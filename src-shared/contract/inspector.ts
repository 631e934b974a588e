// Inspector: the codebook of a checkpoint over a dataset. `open` computes (a job) or finds the cached result.
import { z } from 'zod'
import { bytes, checkpointRef, floats, identifier, ints } from './common'
import { call } from './define'

const target = z.object({
  runId: identifier,
  checkpoint: checkpointRef.default('best'),
  /** Another dataset than the run's training images. */
  datasetId: identifier.optional(),
})

export const nearestSample = z.object({
  /** Relative to the source folder, with `/`. */
  file: z.string(),
  /** Position in the dataset's list of items. */
  item: z.int(),
  row: z.int(),
  column: z.int(),
  distance: z.number(),
})
export type NearestSample = z.infer<typeof nearestSample>

export const codebookSummary = z.object({
  runId: identifier,
  step: z.int(),
  images: z.int(),
  /** Vectors that were assigned: images × tokens. */
  vectors: z.number(),
  tokens: z.tuple([z.int(), z.int()]),
  codebookSize: z.int(),
  used: z.int(),
  usage: z.number(),
  perplexity: z.number(),
  dead: z.int(),
  /** The training window behind `dead`, in words. */
  deadWindow: z.string(),
  /** Uses of each code over these images. */
  counts: ints,
  /** 1 where the code is dead, else 0. */
  deadFlags: ints,
  /** Length of each code vector. */
  norms: floats,
  /** Mean distance of the vectors that chose the code; NaN where none did. */
  meanDistance: floats,
})
export type CodebookSummary = z.infer<typeof codebookSummary>

export const inspector = {
  /** Starts the computation if it is not cached. `step` is what the checkpoint stands for now: ask on with it, because
   * `best` and `last` move on while the run trains. */
  open: call(target, z.object({ jobId: identifier.nullable(), step: z.int() })),
  /** null until `open` is done. */
  summary: call(target, codebookSummary.nullable()),
  /** What each code decodes to when the whole token grid holds it: RGB pixels, `size`×`size` a code, in order. */
  decodedTiles: call(
    target.extend({ indices: z.array(z.int().min(0)).max(512) }),
    z.object({ size: z.int(), pixels: bytes }),
  ),
  nearest: call(
    target.extend({ code: z.int().min(0), count: z.int().min(1).max(64) }),
    z.array(nearestSample),
  ),
  /** PNG of the patch around a token, with `margin` tokens of surroundings. */
  patch: call(
    target.extend({
      item: z.int().min(0),
      row: z.int().min(0),
      column: z.int().min(0),
      margin: z.int().min(0).max(8),
    }),
    bytes,
  ),
} as const
