// Names inside `checkpoints/`: the folders of steps, their files, and the hidden names of what is coming or going.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

export const fileNames = ['model.safetensors', 'optimizer.safetensors', 'state.json'] as const
export const manifestName = 'MANIFEST.json'

export const checkpointsFolder = (runFolder: string): string => join(runFolder, 'checkpoints')
export const hiddenName = (kind: 'tmp' | 'old' | 'corrupt' | 'replaced', name: string): string =>
  `.${kind}-${name}-${randomBytes(4).toString('hex')}`
export const folderName = (step: number): string => `step-${String(step).padStart(7, '0')}`
/** A checkpoint that is being replaced; goes back to its name if the new one never got it. */
export const replacedName = /^\.replaced-(step-\d{7,15})-/
export const isUnfinished = (name: string): boolean => /^\.(tmp|old)-/.test(name)
export const isLeftover = (name: string): boolean => /^\.(tmp|old|corrupt|replaced)-/.test(name)
