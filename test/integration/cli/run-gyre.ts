// Runs the built command line as a child process and collects what it says.
import { spawn, type ChildProcess } from 'node:child_process'
import { cliPath, environment, repository } from '../../support/gyre-process'

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
  /** stdout as the one JSON value it must be. */
  json: unknown
}

export interface Running {
  child: ChildProcess
  /** Resolves when stderr has said something that matches. */
  said: (pattern: RegExp) => Promise<void>
  ended: Promise<Finished>
}

/** Builds dist/ when a source is newer. */
export async function ensureBuilt(): Promise<void> {
  const build = (await import(`${repository}/resources/scripts/build.mjs`)) as {
    ensureBuilt: () => Promise<void>
  }
  await build.ensureBuilt()
}

export function startGyre(library: string, args: readonly string[]): Running {
  const child = spawn(process.execPath, [cliPath, ...args], {
    env: environment(library),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  const waiting = new Set<() => void>()
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString()
    for (const look of waiting) look()
  })
  const ended = new Promise<Finished>((resolve) => {
    child.on('close', (code) => {
      let json: unknown
      try {
        json = JSON.parse(stdout)
      } catch {
        json = undefined
      }
      resolve({ code, stdout, stderr, json })
    })
  })
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(stderr)) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
      void ended.then(() => reject(new Error(`It ended without saying ${String(pattern)}:\n${stderr}`)))
    })
  return { child, said, ended }
}

export function gyre(library: string, ...args: string[]): Promise<Finished> {
  return startGyre(library, args).ended
}

/** A model small enough for any engine. */
export const tiny = [
  ...['imageSize=16', 'channels=8', 'residualBlocks=1', 'codebookSize=16', 'codeDim=4', 'batchSize=4'],
  ...['evaluateEvery=4', 'checkpointEvery=4', 'validationFraction=0.2'],
]
