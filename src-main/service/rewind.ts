// Going back: what a run learnt after an earlier checkpoint is put aside inside its folder, so that training can go on
// from there. Nothing is deleted. Only the owner of a run may use this.
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { stepsOnDisk } from '#main/train/checkpoint'
import { checkpointsFolder, folderName } from '#main/train/checkpoint-names'
import { metricsFileName } from '#main/train/metrics-log'

export interface SetAside {
  folder: string
  /** Steps of the checkpoints that were moved, ascending. */
  steps: number[]
}

/** Moves the checkpoints after `step` into a new folder of the run, with a copy of all records; null without any. */
export async function setLaterAside(runFolder: string, step: number): Promise<SetAside | null> {
  const steps = (await stepsOnDisk(runFolder)).filter((one) => one > step)
  if (steps.length === 0) return null
  const folder = join(runFolder, `set-aside-after-${step}-${randomBytes(3).toString('hex')}`)
  await mkdir(checkpointsFolder(folder), { recursive: true })
  // The trainer cuts the records back to the step it goes on from: these are all of them.
  await copyFile(join(runFolder, metricsFileName), join(folder, metricsFileName)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  })
  // The newest first: a crash in between leaves a run that goes on from a whole checkpoint.
  for (const one of [...steps].reverse()) {
    const name = folderName(one)
    await rename(join(checkpointsFolder(runFolder), name), join(checkpointsFolder(folder), name))
  }
  return { folder, steps }
}
