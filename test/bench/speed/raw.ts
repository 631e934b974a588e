// The files of raw figures: one a part, in a folder a run.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Python } from '../../support/python'
import { productRate } from './arithmetic'
import type { Part, PartFigures } from './parts'

export interface Machine {
  cpu: string
  cores: number
  memoryBytes: number
  /** What the processor has for bfloat16; none where it is not known. */
  bfloat16: string[]
  node: string
  torch: string | null
  /** Operations a second of a large product of matrices in float32. */
  productRate: number
}

export interface RawFile extends PartFigures {
  part: string
  title: string
  quick: boolean
  machine: Machine
  /** Of the last minute, before anything was measured: above 0 the machine was not idle. */
  load: number
  measuredAt: string
}

async function processorFlags(): Promise<string[]> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const flags = new Set(/^flags\s*:(.*)$/m.exec(text)?.[1]?.split(' '))
  return ['avx512_bf16', 'amx_bf16'].filter((flag) => flags.has(flag))
}

export async function machineOf(python: Python): Promise<Machine> {
  const versions =
    'import torch; from importlib.metadata import version; ' +
    'print("PyTorch " + torch.__version__ + ", vector-quantize-pytorch " + version("vector-quantize-pytorch"), end="")'
  return {
    cpu: cpus()[0]?.model.trim() ?? '',
    cores: cpus().length,
    memoryBytes: totalmem(),
    bfloat16: await processorFlags(),
    node: process.version,
    productRate: await productRate(),
    torch: 'missing' in python ? null : await python.run(['-c', versions]),
  }
}

export const rawFileOf = (folder: string, { id }: Part): string => join(folder, `${id}.json`)

export async function writeRaw(
  folder: string,
  part: Part,
  about: { quick: boolean; machine: Machine },
  figures: () => Promise<PartFigures>,
): Promise<void> {
  const load = loadavg()[0] ?? 0
  const measuredAt = new Date().toISOString()
  const { plan, points } = await figures()
  const { id, title } = part
  const raw: RawFile = { part: id, title, ...about, load, measuredAt, plan, points }
  await mkdir(folder, { recursive: true })
  await writeFile(rawFileOf(folder, part), `${JSON.stringify(raw, null, 1)}\n`)
}

/** Every run's files by the part's id, runs by number: `run-1`, `run-2`, … */
export async function readRuns(folder: string): Promise<Map<number, Map<string, RawFile>>> {
  const runs = new Map<number, Map<string, RawFile>>()
  if (!existsSync(folder)) return runs
  for (const name of (await readdir(folder)).sort()) {
    const number = Number(/^run-(\d+)$/.exec(name)?.[1])
    if (Number.isNaN(number)) continue
    const files = new Map<string, RawFile>()
    for (const file of await readdir(join(folder, name))) {
      const raw = JSON.parse(await readFile(join(folder, name, file), 'utf8')) as RawFile
      files.set(raw.part, raw)
    }
    runs.set(number, files)
  }
  return new Map([...runs].sort(([a], [b]) => a - b))
}
