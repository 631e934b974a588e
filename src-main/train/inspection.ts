// The result of an inspection on disk: inspection.json and arrays.safetensors in a folder of their own. A cache: it can
// be computed again at any time. No tensors of any engine here; the service reads with it.
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { GyreError } from '#shared/contract/errors'
import { schemaVersion } from '#shared/contract/files'
import { atomicWriteJson, temporaryPath } from '#main/data/atomic'
import {
  readSafetensors,
  writeSafetensors,
  type NamedTensor,
  type TensorData,
} from '#main/export/safetensors'

const inspectionFileName = 'inspection.json'
const arraysName = 'arrays.safetensors'

const inspectionSummary = z.object({
  schemaVersion: z.int(),
  step: z.int(),
  split: z.enum(['train', 'all']),
  images: z.int(),
  /** images × tokens */
  vectors: z.number(),
  tokens: z.tuple([z.int().min(1), z.int().min(1)]),
  codebookSize: z.int().min(1),
  codeDim: z.int(),
  distance: z.enum(['euclidean', 'cosine']),
  /** Nearest samples kept per code. */
  nearest: z.int().min(1),
  used: z.int(),
  usage: z.number(),
  perplexity: z.number(),
  dead: z.int(),
  /** The training window behind `dead`, in words. */
  deadWindow: z.string(),
})
export type InspectionSummary = z.infer<typeof inspectionSummary>

export interface InspectionArrays {
  /** [K] uses of each code over these images. */
  counts: Int32Array
  /** [K] 1 where the code is dead, else 0. */
  deadFlags: Int32Array
  /** [K] length of each code vector. */
  norms: Float32Array
  /** [K] mean distance of the vectors that chose the code; NaN where none did. */
  meanDistance: Float32Array
  /** [K] how many of the n places are filled. */
  nearestCount: Int32Array
  /** [K, n], ascending: Euclidean, in the space where codes are sought. */
  nearestDistance: Float32Array
  /** [K, n] position in the dataset's list of items; −1 where unused, as below. */
  nearestItem: Int32Array
  /** [K, n] in tokens from the top. */
  nearestRow: Int32Array
  /** [K, n] in tokens from the left. */
  nearestColumn: Int32Array
}

export interface Inspection extends InspectionArrays {
  summary: InspectionSummary
}

const arrayNames: Record<keyof InspectionArrays, { name: string; perCode: 'one' | 'nearest' }> = {
  counts: { name: 'counts', perCode: 'one' },
  deadFlags: { name: 'dead', perCode: 'one' },
  norms: { name: 'norms', perCode: 'one' },
  meanDistance: { name: 'mean_distance', perCode: 'one' },
  nearestCount: { name: 'nearest.count', perCode: 'one' },
  nearestDistance: { name: 'nearest.distance', perCode: 'nearest' },
  nearestItem: { name: 'nearest.item', perCode: 'nearest' },
  nearestRow: { name: 'nearest.row', perCode: 'nearest' },
  nearestColumn: { name: 'nearest.column', perCode: 'nearest' },
}

/** Writes the folder `out`; it appears whole, in place of an older one. */
export async function writeInspection(out: string, inspection: Inspection): Promise<void> {
  const { summary } = inspection
  await mkdir(dirname(out), { recursive: true })
  const temporary = temporaryPath(dirname(out))
  await mkdir(temporary)
  try {
    const tensors = (Object.keys(arrayNames) as (keyof InspectionArrays)[]).map((key): NamedTensor => {
      const { name, perCode } = arrayNames[key]
      const data = inspection[key]
      const shape = perCode === 'one' ? [summary.codebookSize] : [summary.codebookSize, summary.nearest]
      return { name, shape, dtype: data instanceof Int32Array ? 'I32' : 'F32', data }
    })
    await writeSafetensors(join(temporary, arraysName), tensors, { format: 'gyre-inspection' })
    await atomicWriteJson(join(temporary, inspectionFileName), summary)
    await rm(out, { recursive: true, force: true })
    await rename(temporary, out)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

function damaged(cause?: unknown): GyreError {
  return new GyreError('corrupt', 'The stored inspection is damaged.', 'Compute it again.', { cause })
}

/** Reads a folder that `writeInspection` made. Throws `not-found`, or `corrupt` when anything does not fit. */
export async function readInspection(folder: string): Promise<Inspection> {
  const text = await readFile(join(folder, inspectionFileName), 'utf8').catch((error: unknown) => {
    throw new GyreError('not-found', 'There is no inspection yet.', undefined, { cause: error })
  })
  try {
    const summary = inspectionSummary.parse(JSON.parse(text))
    if (summary.schemaVersion !== schemaVersion) throw damaged()
    const { tensors } = await readSafetensors(join(folder, arraysName))
    const take = <T extends TensorData>(key: keyof InspectionArrays, kind: new (length: number) => T): T => {
      const { name, perCode } = arrayNames[key]
      const size = summary.codebookSize * (perCode === 'one' ? 1 : summary.nearest)
      const data = tensors.get(name)?.data
      if (!(data instanceof kind) || data.length !== size) throw damaged()
      return data
    }
    return {
      summary,
      counts: take('counts', Int32Array),
      deadFlags: take('deadFlags', Int32Array),
      norms: take('norms', Float32Array),
      meanDistance: take('meanDistance', Float32Array),
      nearestCount: take('nearestCount', Int32Array),
      nearestDistance: take('nearestDistance', Float32Array),
      nearestItem: take('nearestItem', Int32Array),
      nearestRow: take('nearestRow', Int32Array),
      nearestColumn: take('nearestColumn', Int32Array),
    }
  } catch (error) {
    throw error instanceof GyreError ? error : damaged(error)
  }
}

export interface NearestEntry {
  item: number
  row: number
  column: number
  distance: number
}

/** The nearest samples of a code, ascending: at most `count`, and at most as many as were kept. */
export function nearestOf(inspection: Inspection, code: number, count: number): NearestEntry[] {
  const { codebookSize, nearest } = inspection.summary
  if (code < 0 || code >= codebookSize)
    throw new GyreError('invalid-input', `There is no code ${code}; the codebook has ${codebookSize}.`)
  const length = Math.min(count, nearest, inspection.nearestCount[code] ?? 0)
  return Array.from({ length }, (_, i) => {
    const at = code * nearest + i
    return {
      item: inspection.nearestItem[at] ?? -1,
      row: inspection.nearestRow[at] ?? -1,
      column: inspection.nearestColumn[at] ?? -1,
      distance: inspection.nearestDistance[at] ?? Number.NaN,
    }
  })
}
