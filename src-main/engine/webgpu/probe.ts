// Looks for a graphics card in a process of its own: drivers are native code of strangers, and one that crashes or hangs
// must not take Gyre with it. The answer is kept while this thread lives.
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { z } from 'zod'
import { noCard, type AdapterInfo } from './adapter'
import { dawnAddress } from './dawn'

const run = promisify(execFile)

const limitMs = 20_000
/** A failure may pass (a driver that is being updated, a machine under load): after this long it is tried again. */
const failureKeptMs = 60_000

// A device is made as well: a card may be listed that its driver can't start.
const script = `
const { create } = await import(process.argv.at(-1))
const adapter = await create([]).requestAdapter({ powerPreference: 'high-performance' })
let answer = null
if (adapter) {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info
  answer = { vendor, architecture, device, description, isFallbackAdapter }
  const made = await adapter.requestDevice()
  made.destroy()
}
process.stdout.write('\\n' + JSON.stringify(answer), () => process.exit(0))
`

const answerSchema = z
  .object({
    vendor: z.string(),
    architecture: z.string(),
    device: z.string(),
    description: z.string(),
    isFallbackAdapter: z.boolean(),
  })
  .nullable()

/** An adapter, or the sentence that says why there is none. */
export type Probe = AdapterInfo | string

export interface ProbeOptions {
  /** Ends the search; for tests. */
  limitMs?: number
  /** The address of another Dawn; for tests. */
  dawn?: string
}

const electronRefuses =
  'WebGPU can’t run inside the desktop window: Electron forbids the kind of memory in which Dawn returns results. ' +
  'The command line and `gyre serve` can use it.'

/** Linux shows a graphics card as one of these files, whichever its driver. */
async function linuxHasCard(): Promise<boolean> {
  const names = await Promise.all(['/dev', '/dev/dri'].map((folder) => readdir(folder).catch(() => [])))
  return names.flat().some((name) => /^(renderD\d+|nvidiactl|dxg|mali\d*|kgsl-3d\d)$/.test(name))
}

/** Asks a process of its own. Never rejects. */
export async function askForAdapter({ limitMs: timeout = limitMs, dawn }: ProbeOptions = {}): Promise<Probe> {
  const args = ['--input-type=module', '-e', script, dawn ?? dawnAddress()]
  try {
    const { stdout } = await run(process.execPath, args, { timeout, killSignal: 'SIGKILL' })
    // Dawn and drivers may print lines of their own.
    return answerSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')) ?? noCard
  } catch (error) {
    const { killed, signal, stderr } = error as { killed?: boolean; signal?: string; stderr?: string }
    if (killed)
      return `Looking for a graphics card took longer than ${timeout / 1000} s: its driver does not answer.`
    if (signal) return `The graphics driver crashed while it was being asked (${signal}); WebGPU is left out.`
    const line =
      stderr?.split('\n').find((text) => text.includes('Error')) ?? (error as Error).message.split('\n')[0]
    return `WebGPU does not start here: ${line?.trim() ?? 'unknown reason'}`
  }
}

let kept: Promise<Probe> | null = null

/** The graphics card that WebGPU would use. Cheap: asks once, and not at all where there is plainly none. */
export async function findAdapter(software: boolean): Promise<Probe> {
  if ('electron' in process.versions) return electronRefuses
  if (kept) return kept
  if (!software && process.platform === 'linux' && !(await linuxHasCard())) return noCard
  kept ??= askForAdapter()
  const found = await kept
  if (typeof found === 'string') setTimeout(() => (kept = null), failureKeptMs).unref()
  return found
}
