// Says when a damaged checkpoint is passed over: whoever asks for the best one must know that it is another.
import type { CheckpointRef } from '#shared/contract/common'
import { findCheckpoint, stepsOnDisk } from '#main/train/checkpoint'

/**
 * What stands in for damaged checkpoints where `ref` means them, as a sentence; null where nothing is damaged.
 * @throws GyreError `not-found`, or `corrupt` where no good one is left, as using it would
 */
export async function damageNotice(runFolder: string, ref: CheckpointRef): Promise<string | null> {
  const { step, rejected } = await findCheckpoint(runFolder, ref)
  // A run that trains meanwhile may have replaced one: that is no damage.
  const present = await stepsOnDisk(runFolder)
  const damaged = rejected.filter((one) => present.includes(one.step))
  if (damaged.length === 0) return null
  const words = damaged.map((one) => {
    const why = one.reason.slice(one.reason.indexOf(': ') + 1).replace(/\.$/, '')
    return `The checkpoint of step ${one.step} is damaged (${why.trim()})`
  })
  return `${words.join('. ')}; using step ${step}.`
}
