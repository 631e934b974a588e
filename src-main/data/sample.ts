// The images that come with the app: found in the packaged app's resources, else in the npm package they are from.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { GyreError } from '#shared/contract/errors'

export interface SampleImages {
  /** Folder of 3,786 PNG images of 64×64 pixels. */
  folder: string
  name: string
  licence: string
}

const licence =
  'Noto Emoji images by Google, Apache License 2.0, as collected in emoji-datasource-google 16 (emoji-data) by Cal Henderson, MIT License.'

/** Electron tells where a packaged app keeps its resources; plain Node does not. */
function packagedFolder(): string | null {
  const resources = (process as { resourcesPath?: string }).resourcesPath
  if (resources === undefined) return null
  const folder = join(resources, 'sample')
  return existsSync(folder) ? folder : null
}

function installedFolder(): string | null {
  try {
    const manifest = createRequire(import.meta.url).resolve('emoji-datasource-google/package.json')
    const folder = join(dirname(manifest), 'img', 'google', '64')
    return existsSync(folder) ? folder : null
  } catch {
    return null
  }
}

/** @throws GyreError `not-found` when the installation lacks them */
export function sampleFolder(): SampleImages {
  const folder = packagedFolder() ?? installedFolder()
  if (folder === null) {
    throw new GyreError(
      'not-found',
      'The sample images are not installed.',
      'Run npm ci, or install Gyre again.',
    )
  }
  return { folder, name: 'Emoji', licence }
}
