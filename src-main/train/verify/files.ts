// Reads files of reference vectors. They may come from anybody: their form is checked before a number is used.
import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { GyreError } from '#shared/contract/errors'

const maxFileBytes = 256 * 1024 * 1024

/** Rows of equal length. */
const matrix = z
  .array(z.array(z.number()).min(1))
  .min(1)
  .refine((rows) => rows.every((row) => row.length === rows[0]?.length), 'rows of different lengths')
const vector = z.array(z.number())
/** One a row, or one a row and codebook. */
const indices = z.array(z.union([z.int(), z.array(z.int())]))
/** A number, a vector, a matrix, or one matrix a codebook. */
const tensor = z.union([z.number(), vector, matrix, z.array(matrix)])
export type Matrix = number[][]
export type Values = z.infer<typeof tensor>

const estimatorCase = z.object({
  estimator: z.string(),
  dim: z.int(),
  z: matrix,
  q: matrix,
  upstream: matrix,
  noise: matrix.nullish(),
  forward: matrix,
  grad_z: matrix,
  grad_q: matrix,
})
export type EstimatorCase = z.infer<typeof estimatorCase>

const quantizerCase = z.object({
  name: z.string(),
  /** What the vectors were made from; numbers in it (temperature, λ, levels) are read where a case needs them. */
  formula: z.string().default(''),
  inputs: z.record(z.string(), tensor),
  upstream: matrix.optional(),
  forward: tensor,
  gradients: z.record(z.string(), tensor).default({}),
  /** Further results by name, as in the peers' vectors. */
  outputs: z.record(z.string(), tensor).default({}),
  indices: indices.optional(),
})
export type QuantizerCase = z.infer<typeof quantizerCase>

const edgeCase = z.object({ name: z.string(), z: matrix, q: matrix, upstream: matrix, expect: z.string() })
export type EdgeCase = z.infer<typeof edgeCase>

const layerStep = z.object({
  x: matrix,
  upstream: matrix,
  indices,
  quantized: matrix,
  commit_loss: z.number().optional(),
  commit_losses: vector.optional(),
  grad_x: matrix,
  grad_codebook: matrix.optional(),
  codebook_after: matrix.optional(),
  codebooks_after: z.array(matrix).optional(),
})
export type LayerStep = z.infer<typeof layerStep>

const layerRun = z.object({
  name: z.string(),
  dim: z.int(),
  codebook_size: z.int(),
  depth: z.int().optional(),
  decay: z.number().optional(),
  commitment_weight: z.number(),
  optimizer: z.string().optional(),
  codebook_initial: matrix.optional(),
  codebooks_initial: z.array(matrix).optional(),
  steps: z.array(layerStep).min(1),
})
export type LayerRun = z.infer<typeof layerRun>

const formats = {
  estimators: z.object({ cases: z.array(estimatorCase).min(1) }),
  quantizers: z
    .object({ cases: z.array(quantizerCase).default([]), edges: z.array(edgeCase).default([]) })
    .refine(({ cases, edges }) => cases.length + edges.length > 0, 'neither cases nor edges'),
  layer: z.object({ runs: z.array(layerRun).min(1) }),
} as const
export type VectorFile<K extends keyof typeof formats> = z.infer<(typeof formats)[K]>

function unreadable(file: string, why: string): GyreError {
  return new GyreError('invalid-input', `“${basename(file)}” is no file of reference vectors: ${why}.`)
}

/** @throws GyreError `not-found`, or `invalid-input` naming the file and the place that is wrong */
export async function readVectors<K extends keyof typeof formats>(
  kind: K,
  file: string,
): Promise<VectorFile<K>> {
  const size = (await stat(file).catch(() => null))?.size
  if (size === undefined) throw new GyreError('not-found', `The file “${file}” is not there.`)
  if (size > maxFileBytes) throw unreadable(file, 'it is too large')
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw unreadable(
      file,
      `it can't be read as JSON (${cause instanceof Error ? cause.message : String(cause)})`,
    )
  }
  const parsed = formats[kind].safeParse(value)
  if (parsed.success) return parsed.data as VectorFile<K>
  const [issue] = parsed.error.issues
  const place = issue && issue.path.length > 0 ? `at ${issue.path.join('.')}, ` : ''
  throw unreadable(file, `${place}${issue?.message ?? 'its form is not known'}`)
}
