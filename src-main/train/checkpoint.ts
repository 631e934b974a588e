// Checkpoints on disk: `checkpoints/step-0001500/` holds model.safetensors, optimizer.safetensors, state.json and,
// written last, MANIFEST.json. A folder appears under its name only when it is whole and on disk; a reader believes
// it only when sizes and SHA-256 agree. Knows files, not tensors of any engine.
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { CheckpointRef } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { manifestFile, schemaVersion, type ManifestFile } from '#shared/contract/files'
import { syncFolder } from '#main/data/atomic'
import { describeFsError } from '#main/data/fs-errors'
import { readSafetensors, writeSafetensors, type NamedTensor } from '#main/export/safetensors'
import { digestFile, writeDurable } from './durable'
import { checkpointState, type CheckpointState } from './state'

const fileNames = ['model.safetensors', 'optimizer.safetensors', 'state.json'] as const
const manifestName = 'MANIFEST.json'
/** Larger than any honest one: 65,536 codes' counts are half a megabyte. */
const maxJsonBytes = 64 * 1024 * 1024

const checkpointsFolder = (runFolder: string): string => join(runFolder, 'checkpoints')
const folderName = (step: number): string => `step-${String(step).padStart(7, '0')}`
const isUnfinished = (name: string): boolean => /^\.(tmp|old)-/.test(name)
const isLeftover = (name: string): boolean => /^\.(tmp|old|corrupt)-/.test(name)

export interface CheckpointContent {
  state: CheckpointState
  model: readonly NamedTensor[]
  optimizer: readonly NamedTensor[]
}

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
async function stepsOnDisk(runFolder: string): Promise<number[]> {
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
  const order: number[] = []
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
    return { ...(await verifyCheckpoint(runFolder, ref)), rejected: [] }
  }
  const rejected: RejectedCheckpoint[] = []
  for (const step of await candidates(runFolder, ref)) {
    try {
      return { ...(await verifyCheckpoint(runFolder, step)), rejected }
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

/** Tensors of a checkpoint's file; the folder comes from `resolveCheckpoint`. */
export async function readTensors(
  folder: string,
  part: 'model' | 'optimizer',
  names?: readonly string[],
): Promise<Map<string, NamedTensor>> {
  return (await readSafetensors(join(folder, `${part}.safetensors`), names)).tensors
}

/** Takes a folder out of sight at once, whatever happens while it is deleted. */
async function discard(parent: string, name: string): Promise<void> {
  const hidden = join(parent, `.old-${name}-${randomBytes(4).toString('hex')}`)
  await rename(join(parent, name), hidden)
  await rm(hidden, { recursive: true, force: true })
}

/** Keeps the newest two and `best`; deletes the others and what earlier writes left behind. */
async function prune(parent: string, best: number | null): Promise<void> {
  const names = await readdir(parent)
  const steps = names.filter((name) => /^step-\d+$/.test(name)).sort()
  const keep = new Set(steps.slice(-2))
  if (best !== null) keep.add(folderName(best))
  for (const name of steps) if (!keep.has(name)) await discard(parent, name)
  for (const name of names.filter(isLeftover)) await rm(join(parent, name), { recursive: true, force: true })
}

/** True when a good checkpoint of this step is there already: training repeats exactly, so it holds the same state. */
async function makeRoom(runFolder: string, step: number): Promise<boolean> {
  if (!(await stepsOnDisk(runFolder)).includes(step)) return false
  const good = await verifyCheckpoint(runFolder, step).then(
    () => true,
    () => false,
  )
  if (!good) await setAside(runFolder, [{ step, reason: 'damaged' }])
  return good
}

/**
 * Writes a checkpoint, then deletes those that are neither `best` nor among the newest two. After a crash at any
 * point either the new folder is there, whole, or it is not and the previous ones are.
 * `best` is the step of the best checkpoint so far, this one included.
 */
export async function writeCheckpoint(
  runFolder: string,
  { state, model, optimizer }: CheckpointContent,
  best: number | null,
): Promise<string> {
  const parent = checkpointsFolder(runFolder)
  await mkdir(parent, { recursive: true })
  const name = folderName(state.step)
  if (await makeRoom(runFolder, state.step)) return join(parent, name)
  const temporary = join(parent, `.tmp-${name}-${randomBytes(4).toString('hex')}`)
  await mkdir(temporary)
  try {
    const metadata = { format: 'gyre', schemaVersion: String(schemaVersion), step: String(state.step) }
    await writeSafetensors(join(temporary, 'model.safetensors'), model, metadata)
    await writeSafetensors(join(temporary, 'optimizer.safetensors'), optimizer, metadata)
    await writeDurable(join(temporary, 'state.json'), JSON.stringify(checkpointState.parse(state)))
    const files: ManifestFile['files'] = {}
    for (const file of fileNames) files[file] = await digestFile(join(temporary, file))
    const manifest: ManifestFile = { schemaVersion, step: state.step, files }
    await writeDurable(join(temporary, manifestName), `${JSON.stringify(manifest, null, 2)}\n`)
    await syncFolder(temporary)
    await rename(temporary, join(parent, name))
    await syncFolder(parent)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    throw describeFsError(error, join(parent, name))
  }
  await prune(parent, best)
  return join(parent, name)
}

/** Before training goes on: removes half-written folders of a killed process. */
export async function sweepCheckpoints(runFolder: string): Promise<void> {
  const parent = checkpointsFolder(runFolder)
  const names = await readdir(parent).catch(() => [])
  for (const name of names.filter(isUnfinished))
    await rm(join(parent, name), { recursive: true, force: true })
}

/** Puts damaged checkpoints out of the way of new ones; they are deleted after the next good checkpoint. */
export async function setAside(runFolder: string, rejected: readonly RejectedCheckpoint[]): Promise<void> {
  const parent = checkpointsFolder(runFolder)
  for (const { step } of rejected)
    await rename(
      join(parent, folderName(step)),
      join(parent, `.corrupt-${folderName(step)}-${randomBytes(4).toString('hex')}`),
    )
}
