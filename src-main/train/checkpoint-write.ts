// Writes checkpoints so that a crash at any point leaves every earlier one whole, keeps the newest two and the best,
// and clears away what killed processes left behind. Only the trainer of a run may use this on its folder.
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { schemaVersion, type ManifestFile } from '#shared/contract/files'
import { syncFolder } from '#main/data/atomic'
import { describeFsError } from '#main/data/fs-errors'
import { writeSafetensors, type NamedTensor } from '#main/export/safetensors'
import { stepsOnDisk, verifyCheckpoint, type RejectedCheckpoint, type VerifiedCheckpoint } from './checkpoint'
import {
  checkpointsFolder,
  fileNames,
  folderName,
  hiddenName,
  isLeftover,
  isUnfinished,
  manifestName,
  replacedName,
} from './checkpoint-names'
import { digestFile, writeDurable } from './durable'
import { checkpointState, type CheckpointState } from './state'

export interface CheckpointContent {
  state: CheckpointState
  model: readonly NamedTensor[]
  optimizer: readonly NamedTensor[]
}

/** Takes a folder out of sight at once, whatever happens while it is deleted. */
async function discard(parent: string, name: string): Promise<void> {
  const hidden = join(parent, hiddenName('old', name))
  await rename(join(parent, name), hidden)
  await rm(hidden, { recursive: true, force: true })
}

/** Keeps the newest two and `best`; deletes the others and what earlier writes left behind. */
async function prune(runFolder: string, best: number | null): Promise<void> {
  const parent = checkpointsFolder(runFolder)
  const steps = await stepsOnDisk(runFolder)
  for (const step of steps.slice(0, -2)) if (step !== best) await discard(parent, folderName(step))
  for (const name of (await readdir(parent)).filter(isLeftover))
    await rm(join(parent, name), { recursive: true, force: true })
}

/** The checkpoint of this step if it is there and good; a damaged one is set aside. */
async function existing(runFolder: string, step: number): Promise<VerifiedCheckpoint | null> {
  if (!(await stepsOnDisk(runFolder)).includes(step)) return null
  const good = await verifyCheckpoint(runFolder, step).catch(() => null)
  if (!good) await setAside(runFolder, [{ step, reason: 'damaged' }])
  return good
}

/** Checkpoints that were to be replaced and never were. */
async function putBack(parent: string): Promise<void> {
  const names = await readdir(parent)
  for (const name of names) {
    const replaced = replacedName.exec(name)?.[1]
    if (replaced === undefined) continue
    if (names.includes(replaced)) await rm(join(parent, name), { recursive: true, force: true })
    else await rename(join(parent, name), join(parent, replaced))
  }
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
  const present = await existing(runFolder, state.step)
  // Training repeats exactly: one of the same step holds the same, unless its evaluation came later.
  if (present && (present.state.evaluation === null) === (state.evaluation === null)) return present.folder
  const temporary = join(parent, hiddenName('tmp', name))
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
    if (present) await rename(present.folder, join(parent, hiddenName('replaced', name)))
    await rename(temporary, join(parent, name))
    await syncFolder(parent)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    await putBack(parent).catch(() => undefined)
    throw describeFsError(error, join(parent, name))
  }
  await prune(runFolder, best)
  return join(parent, name)
}

/** Before training goes on: removes half-written folders of a killed process. */
export async function sweepCheckpoints(runFolder: string): Promise<void> {
  const parent = checkpointsFolder(runFolder)
  const names = await readdir(parent).catch(() => [])
  if (names.length > 0) await putBack(parent)
  for (const name of names.filter(isUnfinished))
    await rm(join(parent, name), { recursive: true, force: true })
}

/** Puts damaged checkpoints out of the way of new ones; they are deleted after the next good checkpoint. */
export async function setAside(runFolder: string, rejected: readonly RejectedCheckpoint[]): Promise<void> {
  const parent = checkpointsFolder(runFolder)
  for (const { step } of rejected)
    await rename(join(parent, folderName(step)), join(parent, hiddenName('corrupt', folderName(step))))
}
