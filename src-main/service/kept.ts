// What a run keeps when its training ends without an outcome: the state of its last good checkpoint.
import type { RunFile } from '#shared/contract/files'
import { resolveCheckpoint } from '#main/train/checkpoint'

export type KeptState = Pick<RunFile, 'step' | 'trainedMs' | 'last' | 'best'>

/** null when there is no good checkpoint. */
export async function keptState(runFolder: string): Promise<KeptState | null> {
  const found = await resolveCheckpoint(runFolder, 'last').catch(() => null)
  if (!found) return null
  const { step, trainedMs, last, best } = found.state
  return { step, trainedMs, last, best }
}
