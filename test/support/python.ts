// A Python with the packages a test compares against: the one that GYRE_PYTHON names, or installed once into the cache folder.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const cache = resolve(import.meta.dirname, '../../.cache/python')

export interface InstalledPython {
  command: string
  env: NodeJS.ProcessEnv
  run: (args: string[]) => Promise<string>
}

export type Python = InstalledPython | { missing: string }

/** Packages whose module has another name. */
const modules: Record<string, string> = { pillow: 'PIL' }
const moduleOf = (name: string): string => modules[name] ?? name.replaceAll('-', '_')

const importing = (packages: string[]): string =>
  packages.map((name) => `import ${moduleOf(name)}`).join('; ')

/** The Python that GYRE_PYTHON names, when it has the packages. */
async function namedPython(packages: string[]): Promise<Python | null> {
  const command = process.env['GYRE_PYTHON']
  if (command === undefined) return null
  const run = async (args: string[]): Promise<string> =>
    (await execute(command, args, { maxBuffer: 64 * 1024 * 1024 })).stdout
  return run(['-c', importing(packages)]).then(
    () => ({ command, env: process.env, run }),
    () => null,
  )
}

/** A Python that can import `packages`, or the reason why there is none. */
export async function pythonWith(packages: string[]): Promise<Python> {
  const named = await namedPython(packages)
  if (named) return named
  const site = join(cache, packages.join('-').replaceAll(/[^a-z0-9-]/gi, '_'))
  const env = { ...process.env, PYTHONPATH: site }
  const run = async (args: string[]): Promise<string> =>
    (await execute('python3', args, { env, maxBuffer: 64 * 1024 * 1024 })).stdout
  try {
    if (!existsSync(site)) {
      await mkdir(cache, { recursive: true })
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', site]
      await run([...pip, ...packages])
    }
    await run(['-c', importing(packages)])
    return { command: 'python3', env, run }
  } catch (error) {
    const reason =
      error instanceof Error ? (error.message.split('\n').at(-2) ?? error.message) : String(error)
    return { missing: `Python with ${packages.join(', ')} can't be had here (${reason})` }
  }
}
