// Finds where a pinned wheel can be had, without naming any host: pip is asked, because it follows the person's own
// index, mirrors and proxy settings; or an index address from the settings is read.
import { spawn } from 'node:child_process'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import type { Wheel } from './variants'

export interface FoundWheel {
  url: string
  /** Lets pip itself fetch the wheel to this file: for indexes behind a login or proxy that only pip knows about. */
  fetchWithPip?: (target: string, signal?: AbortSignal) => Promise<void>
}

type Command = readonly [string, ...string[]]

const pipCommands: readonly Command[] = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']]

const noWheel = (detail: string): GyreError =>
  new GyreError(
    'engine-unavailable',
    `The TensorFlow package could not be found: ${detail}`,
    'Install Python with pip, set a package index in the settings, or download the wheel yourself and pick the file.',
  )

/** Runs pip until it ends or `onLine` returns true. Resolves with its exit code (null when stopped) and last error line. */
function runPip(
  command: Command,
  args: string[],
  onLine: (line: string) => boolean,
  signal?: AbortSignal,
): Promise<{ code: number | null; problem: string }> {
  return new Promise((resolve, reject) => {
    const [program, ...first] = command
    const child = spawn(program, [...first, ...args], { stdio: ['ignore', 'pipe', 'pipe'], signal })
    let rest = ''
    let problem = ''
    const read = (chunk: string): void => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (/^\s*error/i.test(line)) problem = line.trim()
        if (onLine(line)) child.kill()
      }
    }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      problem =
        text
          .split('\n')
          .find((line) => /^\s*error/i.test(line))
          ?.trim() ?? problem
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, problem }))
  })
}

const pipArguments = (wheel: Wheel, folder: string, indexUrl?: string): string[] => [
  'download',
  '--no-deps',
  '--only-binary=:all:',
  '--disable-pip-version-check',
  ...(indexUrl === undefined ? [] : ['--index-url', indexUrl]),
  ...['--python-version', wheel.pythonVersion, '--implementation', 'cp'],
  ...['--abi', wheel.abi, '--platform', wheel.platformTag, '--dest', folder],
  wheel.requirement,
]

/**
 * Asks pip for the wheel's address. In its detailed output pip names every file it considers before it fetches
 * one; it is stopped there, because our own download can be resumed and shows its progress.
 */
async function askPip(
  wheel: Wheel,
  scratch: string,
  indexUrl?: string,
  signal?: AbortSignal,
): Promise<FoundWheel> {
  let problem = 'pip is not installed.'
  for (const command of pipCommands) {
    let url: string | undefined
    const watch = (line: string): boolean => {
      const link = /^\s*Found link (\S+)/.exec(line)?.[1]?.split('#')[0]
      if (link !== undefined && decodeURIComponent(link).endsWith(`/${wheel.fileName}`)) url ??= link
      return url !== undefined
    }
    const args = pipArguments(wheel, scratch, indexUrl)
    try {
      const result = await runPip(command, [...args, '-vv'], watch, signal)
      if (url === undefined) {
        problem = result.problem || `${command.join(' ')} ended with code ${result.code ?? 'none'}.`
        continue
      }
    } catch (error) {
      signal?.throwIfAborted()
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') problem = String(error)
      continue
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
    return {
      url,
      fetchWithPip: async (target, abort) => {
        await mkdir(scratch, { recursive: true })
        try {
          const result = await runPip(command, args, () => false, abort)
          if (result.code !== 0) throw noWheel(result.problem || 'pip could not download it.')
          await rename(join(scratch, wheel.fileName), target)
        } finally {
          await rm(scratch, { recursive: true, force: true })
        }
      },
    }
  }
  throw noWheel(problem)
}

/** Reads a "simple" package index page, as pip does, for the wheel's link. */
async function askIndex(wheel: Wheel, indexUrl: string, signal?: AbortSignal): Promise<FoundWheel> {
  const project = wheel.requirement.split('==')[0] ?? ''
  const page = new URL(`${indexUrl.replace(/\/+$/, '')}/${project}/`)
  const response = await fetch(page, { signal, headers: { accept: 'text/html' } }).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw noWheel(`${page.host} does not answer (${String((error as Error).cause ?? error)}).`)
  })
  if (!response.ok) throw noWheel(`${page.host} answered ${response.status}.`)
  for (const [, href] of (await response.text()).matchAll(/href\s*=\s*["']([^"']+)["']/gi)) {
    const url = new URL((href ?? '').replaceAll('&amp;', '&'), response.url || page)
    url.hash = ''
    if (decodeURIComponent(url.pathname).endsWith(`/${wheel.fileName}`)) return { url: url.href }
  }
  throw noWheel(`${page.host} does not list ${wheel.fileName}.`)
}

/** Where the wheel can be had. `scratch` is a folder that may be created and is removed again. */
export async function findWheel(
  wheel: Wheel,
  scratch: string,
  indexUrl?: string,
  signal?: AbortSignal,
): Promise<FoundWheel> {
  if (indexUrl === undefined) return askPip(wheel, scratch, undefined, signal)
  try {
    return await askIndex(wheel, indexUrl, signal)
  } catch (error) {
    signal?.throwIfAborted()
    // pip may still reach it: it knows logins, proxies and other index formats.
    return askPip(wheel, scratch, indexUrl, signal).catch(() => {
      throw error
    })
  }
}
