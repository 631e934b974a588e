// Checkpoints on disk: `checkpoints/step-0001500/` holds model.safetensors, optimizer.safetensors, state.json and,
// written last, MANIFEST.json. A folder appears under its name only when it is whole and on disk; a reader believes
// it only when sizes and SHA-256 agree. Knows files, not tensors of any engine.
import { lstat, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CheckpointRef } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { manifestFile, schemaVersion, type ManifestFile } from '#shared/contract/files'
import { readSafetensors, type NamedTensor } from '#main/export/safetensors'
import { checkpointsFolder, fileNames, folderName, manifestName } from './checkpoint-names'
import { digestFile } from './durable'
import { checkpointState, type CheckpointState } from './state'

/** Larger than any honest one: 65,536 codes' counts are half a megabyte. */
const maxJsonBytes = 64 * 1024 * 1024

/** A checkpoint whose every byte was compared with its manifest. */
export interface VerifiedCheckpoint {
  folder: string
  step: number
  state: CheckpointState
  sizeBytes: number
  /** Identity of its content, for caches. */
  sha256: string
}

/** A checkpoint that is not used, and why. */
export interface RejectedCheckpoint {
  step: number
  reason: string
}

function damaged(name: string, what: string, cause?: unknown): GyreError {
  const hint = 'Use another checkpoint; resuming does so by itself.'
  return new GyreError('corrupt', `Checkpoint ${name} is damaged: ${what}.`, hint, { cause })
}

/** A plain file, not a link out of the run folder, a pipe or a device. */
async function readJson(folder: string, name: string, file: string): Promise<unknown> {
  try {
    const path = join(folder, file)
    const stats = await lstat(path)
    if (!stats.isFile() || stats.size > maxJsonBytes) throw new Error('not a plain file')
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch (error) {
    throw damaged(name, `${file} cannot be read`, error)
  }
}

function refuseNewer(name: string, value: unknown): void {
  const version = (value as { schemaVersion?: unknown } | null)?.schemaVersion
  if (typeof version === 'number' && version > schemaVersion)
    throw new GyreError(
      'unsupported',
      `Checkpoint ${name} was made by a newer version of Gyre.`,
      'Update Gyre to open it.',
    )
}

async function readManifest(folder: string, name: string, step: number): Promise<ManifestFile> {
  const value = await readJson(folder, name, manifestName)
  refuseNewer(name, value)
  const manifest = manifestFile.safeParse(value)
  if (!manifest.success || manifest.data.step !== step) throw damaged(name, 'its manifest is not valid')
  const listed = Object.keys(manifest.data.files).sort().join()
  if (listed !== [...fileNames].sort().join()) throw damaged(name, 'its manifest lists other files')
  return manifest.data
}

async function readState(folder: string, name: string, step: number): Promise<CheckpointState> {
  const state = checkpointState.safeParse(await readJson(folder, name, 'state.json'))
  if (!state.success || state.data.step !== step) throw damaged(name, 'state.json is not valid')
  return state.data
}

/** Compares every file with the manifest. Throws `corrupt` naming the first difference. */
export async function verifyCheckpoint(runFolder: string, step: number): Promise<VerifiedCheckpoint> {
  const name = folderName(step)
  const folder = join(checkpointsFolder(runFolder), name)
  const stats = await lstat(folder).catch(() => null)
  if (!stats?.isDirectory()) throw new GyreError('not-found', `There is no checkpoint at step ${step}.`)
  const manifest = await readManifest(folder, name, step)
  let total = 0
  for (const file of fileNames) {
    const path = join(folder, file)
    const expected = manifest.files[file]
    const found = await lstat(path).catch(() => null)
    if (!found?.isFile()) throw damaged(name, `${file} is missing`)
    if (found.size !== expected?.sizeBytes) throw damaged(name, `${file} has another size`)
    const digest = await digestFile(path).catch((error: unknown) => {
      throw damaged(name, `${file} cannot be read`, error)
    })
    if (digest.sha256 !== expected.sha256 || digest.sizeBytes !== expected.sizeBytes)
      throw damaged(name, `${file} has changed`)
    total += digest.sizeBytes
  }
  const state = await readState(folder, name, step)
  const sha256 = manifest.files['model.safetensors']?.sha256 ?? ''
  return { folder, step, state, sizeBytes: total, sha256 }
}

/** Steps of all checkpoint folders, ascending, whatever their state. */
export async function stepsOnDisk(runFolder: string): Promise<number[]> {
  const names = await readdir(checkpointsFolder(runFolder)).catch(() => [])
  const steps = names.map((name) => Number(/^step-(\d{7,15})$/.exec(name)?.[1] ?? Number.NaN))
  // Only the name that we would give: two spellings of one step would be two checkpoints.
  return steps
    .filter((step, i) => Number.isSafeInteger(step) && folderName(step) === names[i])
    .sort((a, b) => a - b)
}

/** What a verification found, kept while the files look unchanged: lists are asked for far more often than written. */
const verified = new Map<string, { stamp: string; checkpoint: VerifiedCheckpoint }>()

async function stampOf(folder: string): Promise<string> {
  const stats = await Promise.all(
    [...fileNames, manifestName].map((file) => lstat(join(folder, file), { bigint: true })),
  )
  return stats.map(({ ino, size, mtimeNs, ctimeNs }) => [ino, size, mtimeNs, ctimeNs].join(':')).join()
}

async function verifyCached(runFolder: string, step: number): Promise<VerifiedCheckpoint> {
  const folder = join(checkpointsFolder(runFolder), folderName(step))
  const stamp = await stampOf(folder).catch(() => '')
  const known = verified.get(folder)
  if (known && stamp !== '' && known.stamp === stamp) return known.checkpoint
  verified.delete(folder)
  const checkpoint = await verifyCheckpoint(runFolder, step)
  if (verified.size > 500) verified.clear()
  verified.set(folder, { stamp, checkpoint })
  return checkpoint
}

export interface ListedCheckpoint {
  step: number
  best: boolean
  last: boolean
  sizeBytes: number
}

const evaluated = (state: CheckpointState | null): number =>
  state?.evaluation?.mse ?? Number.POSITIVE_INFINITY

/** The index of the lowest validation error; the earlier of equals; the last where none was evaluated. */
function bestIndex(states: readonly (CheckpointState | null)[]): number {
  const lowest = Math.min(...states.map(evaluated))
  return Number.isFinite(lowest)
    ? states.findIndex((state) => evaluated(state) === lowest)
    : states.length - 1
}

/** Complete and verified checkpoints of a run, ascending. Damaged ones are left out. */
export async function listCheckpoints(runFolder: string): Promise<ListedCheckpoint[]> {
  const good: VerifiedCheckpoint[] = []
  for (const step of await stepsOnDisk(runFolder)) {
    const one = await verifyCached(runFolder, step).catch(() => null)
    if (one) good.push(one)
  }
  const best = bestIndex(good.map(({ state }) => state))
  return good.map(({ step, sizeBytes }, i) => ({
    step,
    best: i === best,
    last: i === good.length - 1,
    sizeBytes,
  }))
}

/** Steps in the order in which they answer `ref`. States are only looked at here; verification comes after. */
async function candidates(runFolder: string, ref: 'last' | 'best'): Promise<number[]> {
  const left = await stepsOnDisk(runFolder)
  if (ref === 'last') return left.reverse()
  const states = await Promise.all(
    left.map((step) =>
      readState(join(checkpointsFolder(runFolder), folderName(step)), folderName(step), step).catch(
        () => null,
      ),
    ),
  )
  // One whose state can't be read may have been the best: it is tried first, so that passing over it is reported.
  const order = left.filter((_, i) => states[i] === null)
  for (const step of order) {
    states.splice(left.indexOf(step), 1)
    left.splice(left.indexOf(step), 1)
  }
  while (left.length > 0) {
    const at = bestIndex(states)
    order.push(...left.splice(at, 1))
    states.splice(at, 1)
  }
  return order
}

/**
 * The checkpoint that `ref` means, every byte verified now. `last` and `best` pass over damaged ones and report them
 * in `rejected`; a step by number does not. Throws `not-found` or `corrupt`.
 */
export async function resolveCheckpoint(
  runFolder: string,
  ref: CheckpointRef,
  verify: typeof verifyCheckpoint = verifyCheckpoint,
): Promise<VerifiedCheckpoint & { rejected: RejectedCheckpoint[] }> {
  if (typeof ref === 'number') {
    const steps = await stepsOnDisk(runFolder)
    if (!steps.includes(ref)) {
      const hint =
        steps.length > 0
          ? `There are checkpoints at steps ${steps.join(', ')}.`
          : 'This run has no checkpoint yet.'
      throw new GyreError('not-found', `There is no checkpoint at step ${ref}.`, hint)
    }
    return { ...(await verify(runFolder, ref)), rejected: [] }
  }
  const rejected: RejectedCheckpoint[] = []
  for (const step of await candidates(runFolder, ref)) {
    try {
      return { ...(await verify(runFolder, step)), rejected }
    } catch (error) {
      // A newer version's checkpoint is not damaged: passing over it would silently throw training away.
      if (error instanceof GyreError && error.code === 'unsupported') throw error
      rejected.push({ step, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  const first = rejected[0]
  if (first) throw new GyreError('corrupt', first.reason, 'No other checkpoint of this run can be read.')
  throw new GyreError('not-found', 'This run has no checkpoint yet.', 'Train it first, for a step at least.')
}

/** `resolveCheckpoint` for answers of a moment: unchanged files that were verified once are not read again. */
export function findCheckpoint(
  runFolder: string,
  ref: CheckpointRef,
): Promise<VerifiedCheckpoint & { rejected: RejectedCheckpoint[] }> {
  return resolveCheckpoint(runFolder, ref, verifyCached)
}

/** Tensors of a checkpoint's file; the folder comes from `resolveCheckpoint`. */
export async function readTensors(
  folder: string,
  part: 'model' | 'optimizer',
  names?: readonly string[],
): Promise<Map<string, NamedTensor>> {
  return (await readSafetensors(join(folder, `${part}.safetensors`), names)).tensors
}
