// The window's files as a closed table: URL path → file, made once by listing the built folder. A request
// is looked up and never becomes a path, so there is nothing to traverse.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import { contentType } from './headers'

export interface StaticFile {
  readonly path: string
  readonly type: string
}

export type StaticFiles = ReadonlyMap<string, StaticFile>

/**
 * Lists the regular files under `folder` (links are left out) that have a known type; `/` is index.html.
 * @throws GyreError `not-found` when the window was not built.
 */
export async function listStaticFiles(folder: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>()

  async function walk(inner: string, urlPrefix: string): Promise<void> {
    for (const entry of await readdir(inner, { withFileTypes: true })) {
      const path = join(inner, entry.name)
      const type = contentType(entry.name)
      if (entry.isDirectory()) await walk(path, `${urlPrefix}${entry.name}/`)
      else if (entry.isFile() && type) files.set(`${urlPrefix}${entry.name}`, { path, type })
    }
  }

  const missing = (cause?: unknown): GyreError =>
    new GyreError('not-found', "Gyre's window is not built.", 'Run `npm run build`.', { cause })
  await walk(folder, '/').catch((thrown: unknown) => {
    throw missing(thrown)
  })
  const index = files.get('/index.html')
  if (!index) throw missing()
  files.set('/', index)
  return files
}

/** The file a request target asks for; its query is ignored, and nothing is decoded or normalised. */
export function findStaticFile(files: StaticFiles, target: string): StaticFile | undefined {
  return files.get(target.split('?', 1)[0] ?? '')
}
