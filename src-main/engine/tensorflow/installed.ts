// An installed engine on disk: its folder's name, its manifest, and the cheap check that it is whole. Nothing here
// loads TensorFlow.
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { bindingFiles, bindingHash } from './binding-source'
import type { Variant } from './variants'

export const manifestFileName = 'manifest.json'
/** Folders that are being made or taken away; never an engine. */
export const stagingPrefix = '.staging-'

/** Deletes what an installation or a removal left that was cut off. Only for who holds the lock of `home`. */
export async function sweepStaging(home: string): Promise<void> {
  for (const name of await readdir(home))
    if (name.startsWith(stagingPrefix)) await rm(join(home, name), { recursive: true, force: true })
}

const manifestSchema = z.object({
  schemaVersion: z.literal(1),
  id: z.string(),
  version: z.string(),
  wheelSha256: z.string(),
  bindingHash: z.string(),
  files: z.record(z.string(), z.object({ sizeBytes: z.number().int().nonnegative(), sha256: z.string() })),
})

export type EngineManifest = z.infer<typeof manifestSchema>

export async function engineFolder(home: string, variant: Variant, prebuilt?: string): Promise<string> {
  return join(home, `${variant.id}-${variant.version}-${await bindingHash(variant, prebuilt)}`)
}

/**
 * The manifest of a whole engine in `folder`, or null. The manifest is written last and names every file with its
 * size, so a half install, a truncated library or a deleted one reads as "not installed".
 */
export async function readInstalled(folder: string, variant: Variant): Promise<EngineManifest | null> {
  let manifest: EngineManifest
  try {
    manifest = manifestSchema.parse(JSON.parse(await readFile(join(folder, manifestFileName), 'utf8')))
  } catch {
    return null
  }
  const bindings = bindingFiles.map((name) => join(variant.libraryFolder, name))
  if (manifest.wheelSha256 !== variant.wheel.sha256 || !bindings.every((name) => name in manifest.files))
    return null
  for (const [name, { sizeBytes }] of Object.entries(manifest.files)) {
    const info = await stat(join(folder, name)).catch(() => null)
    if (info?.size !== sizeBytes) return null
  }
  return manifest
}
